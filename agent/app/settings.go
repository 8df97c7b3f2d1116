package app

// Settings are the server's own: the content of $DOKKU_ROOT/.dokku/server.json.
// A missing file means the defaults.
type Settings struct {
	Version int `json:"version"`

	Domains []string          `json:"domains,omitempty"` // domains:set-global
	Config  map[string]string `json:"config,omitempty"`  // config:set --global
	Checks  map[string]string `json:"checks,omitempty"`  // checks:set --global
	PS      map[string]string `json:"ps,omitempty"`      // ps:set --global
	Git     map[string]string `json:"git,omitempty"`     // git:set --global
	Proxy   map[string]string `json:"proxy,omitempty"`   // proxy:set --global
	Network map[string]string `json:"network,omitempty"` // network:set --global

	// MaxScale is the highest count of one process type. Default 100.
	MaxScale int `json:"max_scale,omitempty"`
	// KeepReleases is how many releases stay, with their images. Default 3.
	KeepReleases int `json:"keep_releases,omitempty"`
	// NoAutoCreate: a push to an unknown app is refused.
	NoAutoCreate bool `json:"no_auto_create,omitempty"`

	// Docker is the engine's address. Default: DOCKER_HOST or the local socket.
	Docker string `json:"docker,omitempty"`
	// Pool is where the apps' subnets are taken from. Default 10.192.0.0/11.
	Pool string `json:"pool,omitempty"`
	// StorageRoot is the folder below which apps may have folders of the host.
	// Default DefaultStorageRoot.
	StorageRoot string `json:"storage_root,omitempty"`

	// SSHPort is where sshd answers on this host. Default: what sshd_config says.
	SSHPort int `json:"ssh_port,omitempty"`

	Nginx NginxSettings `json:"nginx,omitzero"`
}

// NginxSettings say how nginx is reached; install.sh's values are the defaults.
type NginxSettings struct {
	Port   int      `json:"port,omitempty"`   // default 80
	Check  []string `json:"check,omitempty"`  // tests the staged files
	Reload []string `json:"reload,omitempty"` // makes nginx read the live files
	// Properties are what nginx:set --global set.
	Properties map[string]string `json:"properties,omitempty"`
}

const (
	DefaultMaxScale     = 100
	DefaultKeepReleases = 3
)
