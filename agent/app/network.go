package app

import "strings"

// Properties of network:set.
const (
	NetworkInitial    = "initial-network"
	NetworkPostCreate = "attach-post-create"
	NetworkPostDeploy = "attach-post-deploy"
	NetworkTLD        = "tld"
)

// NetworkLists are the properties that name networks to join. They all have the same
// effect: a container joins these networks, beside the app's own, before its process
// starts.
var NetworkLists = []string{NetworkInitial, NetworkPostCreate, NetworkPostDeploy}

// SplitNetworks splits a list of networks, "a,b".
func SplitNetworks(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}
