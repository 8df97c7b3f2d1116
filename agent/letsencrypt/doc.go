// Package letsencrypt orders, renews and revokes the apps' certificates at a CA that
// speaks ACME, Let's Encrypt unless another one is set.
//
// What is due is a pure question to an app's settings and to what happened before
// (app.View.Due). A command and the agent both ask it under one lock for the whole server,
// so that no name is ever ordered twice, and make one order at a time: a CA counts orders,
// and a thousand apps that renew at once would meet its limits. No lock of an app is held
// while the CA works: a push never waits for it.
//
// An order is one certificate of up to 100 names of one app. One that fails for some names
// gives a certificate for the others; those that failed wait with growing pauses, and cost
// the others nothing. While a certificate is good, a changed list of names is ordered
// whole or not at all: each certificate counts against the CA's limits. An old certificate
// stays for a name that its renewal failed for, until it expires.
//
// A certificate counts once the state names it, and nginx gets it as a part of the app's
// route: see agent.Server.SetCertificate. Killed before that, an order begins again; the
// account's key was stored before it was used, and nothing else has to be kept.
//
// The agent renews when the CA says so (ARI, RFC 9773), else when a third of the life is
// left, so that it works for 90 days as for six.
package letsencrypt
