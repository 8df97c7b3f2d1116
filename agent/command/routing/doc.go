// Package routing has the commands about the route from a client to an app's web
// processes: domains, ports, the proxy, nginx settings, and the networks that processes
// join.
package routing
