package app

import (
	"net/netip"
	"strings"
)

// Properties of network:set.
const (
	NetworkInitial    = "initial-network"
	NetworkPostCreate = "attach-post-create"
	NetworkPostDeploy = "attach-post-deploy"
	NetworkTLD        = "tld"
	NetworkBindAll    = "bind-all-interfaces" // "true": web's port is also one of the host, at all its addresses
	NetworkListener   = "static-web-listener"
	// What an isolated app's containers reach of the host: ports, and "true": a cloud's metadata.
	NetworkHostPorts = "host-ports"
	NetworkMetadata  = "cloud-metadata"
)

// NetworkLists are the properties that name networks to join. They all have the same
// effect: a container joins these networks, beside the app's own, before its process
// starts.
var NetworkLists = []string{NetworkInitial, NetworkPostCreate, NetworkPostDeploy}

// SplitNetworks splits a list of networks, "a,b".
func SplitNetworks(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// Listener returns the address that the proxy leads to in the place of the web processes
// (network:set static-web-listener); the zero value: there is none.
func (st *State) Listener() netip.AddrPort {
	at, _ := netip.ParseAddrPort(st.Network[NetworkListener])
	return at
}

// Served reports whether the proxy may lead to the app: it is deployed, or has a Listener,
// for which it need not be.
func (a *App) Served() bool { return a.Deployed() || a.State.Listener().IsValid() }
