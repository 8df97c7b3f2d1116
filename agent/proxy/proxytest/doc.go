// Package proxytest is the suite that every implementation of proxy.Proxy passes.
package proxytest
