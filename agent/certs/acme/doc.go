// Package acme gets certificates from a CA by ACME (RFC 8555). It knows no apps: callers
// say which names they want, store what they get, and decide when to renew.
//
// # Decisions
//
//   - go-acme/lego signs and sends the requests, and its DNS providers change records. Its
//     client for whole orders is not used: it gives all names up when one fails, checks
//     them one after the other, and sleeps whatever its context says.
//   - One name that cannot be proved costs the others nothing: [Client.Obtain] orders again
//     without it, in the same call, at most 4 orders in all. A name that failed is never
//     asked for again in that call, because CAs count failures (Let's Encrypt allows 5 an
//     hour for each name). A rate limit or an outage ends the call at once. If the text of
//     a rate limit quotes some of the names, it is theirs, and the others go on.
//   - HTTP-01 is stateless. The answer to a token is the token and the thumbprint of the
//     account's key, so the proxy needs nothing but the thumbprint, the same for all
//     orders. A token in a file for each challenge was rejected: the workers of the proxy
//     must be able to read it, and a kill leaves it behind.
//   - Names go by DNS if a provider is configured, because then port 80 may be closed. Only
//     addresses still go by HTTP.
//   - The account's key is on the disk before the CA hears of it. A CA finds an account by
//     its key, so a kill before the account's URL is stored costs nothing. An account that
//     the CA does not know any more is registered anew, with the same key, so that the
//     proxy's answers stay right.
//   - A CA may refuse a renewal for the certificate that it replaces, such as one of another
//     account or another CA. It is then ordered again as a new certificate.
//   - [Client.Revoke] signs with the account's key first. Let's Encrypt takes a revocation
//     by the certificate's key for a leak of that key.
//   - Every error that a CA causes is a [Problem]: what to tell people, and when to try
//     again.
//
// # Time
//
// The end of the context ends every call at once, but for the removal of DNS records (10 s
// each) and for a DNS provider that finishes its request first. Without it a CA that hangs costs 30 s, the time limit of one request, because the
// first request that fails ends the call. A CA that answers has 2 minutes to check the
// names and 90 s to sign. A DNS provider has its own limit, 60 s unless it is set, for a
// record to spread.
//
// # DNS
//
// The providers that many people use are linked, if they bring few other modules; see
// [Providers]. All of them together would bring the SDKs of every cloud into each hook of
// git. For another one the installed program lego (version 5) does the whole order, with an
// account of its own beside ours.
//
// lego's providers read their settings from the environment of the process. It has them
// for the moment in which a provider is made, under a lock; a program that another
// goroutine starts in that moment inherits them. A script of the provider exec
// gets its own settings, and nothing of the process but PATH, HOME, LANG, LC_ALL, TMPDIR
// and TZ.
//
// lego asks both the system's resolvers and the authoritative servers whether a record has
// spread. Here only the latter count, because resolvers remember that there was none. Where
// a firewall keeps these from being asked, or the zone is private, Config.Resolvers are
// asked instead.
//
// dns-persist-01 (draft-ietf-acme-dns-persist) is experimental: names are proved by a record
// that somebody adds once. The Problem of a name without it has the record.
package acme
