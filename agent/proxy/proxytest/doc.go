// Package proxytest is the suite that every implementation of proxy.Proxy
// passes, and a real nginx for tests, with web processes behind it.
package proxytest
