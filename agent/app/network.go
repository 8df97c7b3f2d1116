package app

import "strings"

// Properties of network:set.
const (
	NetworkInitial    = "initial-network"
	NetworkPostCreate = "attach-post-create"
	NetworkPostDeploy = "attach-post-deploy"
	NetworkTLD        = "tld"
)

// NetworkLists are the properties that name networks to join. Here all of them
// mean the same: an app has its own network anyway, and joins the others before
// its processes start.
var NetworkLists = []string{NetworkInitial, NetworkPostCreate, NetworkPostDeploy}

// SplitNetworks cuts a list of networks, "a,b".
func SplitNetworks(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}
