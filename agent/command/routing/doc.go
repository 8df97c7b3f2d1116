// Package routing has the commands about the way from a client to an app's web
// processes: domains, ports, the proxy, its nginx settings, and the networks that
// processes join.
package routing
