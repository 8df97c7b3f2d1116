package app

// ContainerOptions are what the containers of a release get besides image, command
// and environment. Like the environment it is part of the release: a container that
// ps:scale adds to the current release has what its siblings have, and a change
// takes effect with the next release.
type ContainerOptions struct {
	Mounts []Mount `json:"mounts,omitempty"`
	// Networks are joined beside the app's own, before a process starts.
	Networks []string `json:"networks,omitempty"`
	// NetworkTLD ends the app's names on those networks.
	NetworkTLD string `json:"network_tld,omitempty"`
	// Resources are limits and reservations, by "web.limit.memory"; see Limits.
	Resources map[string]string `json:"resources,omitempty"`
}
