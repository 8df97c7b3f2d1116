package app

// ContainerOptions are a release's container settings besides image, command and
// environment. They are part of the release: a container that ps:scale adds gets the
// options of its siblings, and a change takes effect with the next release.
type ContainerOptions struct {
	Mounts []Mount `json:"mounts,omitempty"`
	// Networks are joined beside the app's own, before a process starts.
	Networks []string `json:"networks,omitempty"`
	// Links are the services whose networks a process joins too.
	Links []Link `json:"links,omitempty"`
	// NetworkTLD ends the app's names on those networks.
	NetworkTLD string `json:"network_tld,omitempty"`
	// BindAll publishes web's port at all addresses of the host too, at a port of the engine's choice.
	BindAll bool `json:"bind_all,omitempty"`
	// Resources are limits and reservations, by "web.limit.memory"; see Limits.
	Resources map[string]string `json:"resources,omitempty"`
	// NoInit: see engine.Spec. Releases of older versions have an init.
	NoInit bool `json:"no_init,omitempty"`
	// LogSize is the size of a file of a container's log, as logs:set has it; "" is the
	// engine's.
	LogSize string `json:"log_size,omitempty"`
	// DockerOptions are the options of docker-options for the processes: see OptionsKey.
	DockerOptions map[string][]string `json:"docker_options,omitempty"`
	// Isolation is how the containers are kept from hurting others; nil: only by the engine's
	// defaults.
	Isolation *Isolation `json:"isolation,omitempty"`
	// Swarm says how a swarm places the processes; nil: this server runs them.
	Swarm *Swarm `json:"swarm,omitempty"`
}
