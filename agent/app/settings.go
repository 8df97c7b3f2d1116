package app

import "cmp"

// FirewallOff is Settings.Firewall of a server whose administrator filters by himself.
const FirewallOff = "off"

// Settings are the server's settings: the content of $DOKKU_ROOT/.dokku/server.json.
// Without the file, the defaults apply.
type Settings struct {
	Version int `json:"version"`

	Domains []string          `json:"domains,omitempty"` // domains:set-global
	Config  map[string]string `json:"config,omitempty"`  // config:set --global
	Checks  map[string]string `json:"checks,omitempty"`  // checks:set --global
	PS      map[string]string `json:"ps,omitempty"`      // ps:set --global
	Build   map[string]string `json:"build,omitempty"`   // builder:set --global, ...: see State.Build
	Git     map[string]string `json:"git,omitempty"`     // git:set --global
	Apps    map[string]string `json:"apps,omitempty"`    // apps:set --global
	Proxy   map[string]string `json:"proxy,omitempty"`   // proxy:set --global
	Network map[string]string `json:"network,omitempty"` // network:set --global
	Ports   map[string]string `json:"ports,omitempty"`   // ports:set --global
	Logs    map[string]string `json:"logs,omitempty"`    // logs:set --global
	Cron    map[string]string `json:"cron,omitempty"`    // cron:set --global
	// Inert has settings of components of Dokku's that are not here: see State.Inert.
	Inert map[string]string `json:"inert,omitempty"`
	// DockerOptions has the properties of docker-options:set --global.
	DockerOptions map[string]string `json:"docker_options,omitempty"`

	// Certificate is that of certs:add --global: it serves the domains that it covers and
	// that have none of their own.
	Certificate *Certificate `json:"certificate,omitempty"`

	// Letsencrypt has the properties of letsencrypt:set --global, and Authorities the CAs at
	// which the server has an account, by their directory URL.
	Letsencrypt map[string]string    `json:"letsencrypt,omitempty"`
	Authorities map[string]Authority `json:"authorities,omitempty"`

	// Deployed are the apps that deployers' keys are for, on a server with a builder of its own, which
	// builds them; nil without one. It is no setting: the keys say it.
	Deployed map[string]bool `json:"-"`

	// MaxScale is the highest count of one process type. Default: DefaultMaxScale.
	MaxScale int `json:"max_scale,omitempty"`
	// KeepReleases is the number of releases that are kept with their images. Default:
	// DefaultKeepReleases.
	KeepReleases int `json:"keep_releases,omitempty"`
	// Hooks are those of notify:add --global. PrivateHooks: hooks that were added over ssh may
	// lead to addresses that are not of the public internet.
	Hooks        []Hook `json:"hooks,omitempty"`
	PrivateHooks bool   `json:"private_hooks,omitempty"`
	// NoEvents: no events are recorded (events:off).
	NoEvents bool `json:"no_events,omitempty"`

	// Trace: every command prints its events, as with --trace (trace:on).
	Trace bool `json:"trace,omitempty"`

	// Scheduler has the values of scheduler:set --global.
	Scheduler map[string]string `json:"scheduler,omitempty"`
	// Isolation has the values of isolation:set --global.
	Isolation map[string]string `json:"isolation,omitempty"`
	// Firewall is the command of root's part that keeps containers from the host's ports. Default: that
	// of install.sh. FirewallOff alone: nothing does.
	Firewall []string `json:"firewall,omitempty"`
	// Cgroup is the name of the cgroups of gits. Default: that of install.sh. cgroup.Off: none.
	Cgroup string `json:"cgroup,omitempty"`
	// Registry has the values of registry:set --global.
	Registry map[string]string `json:"registry,omitempty"`

	// FrontDoors are the servers of front-door:add, by name.
	FrontDoors map[string]FrontDoor `json:"front_doors,omitempty"`

	// NoAutoCreate: refuse a push to an unknown app (apps:set --global disable-autocreation).
	NoAutoCreate bool `json:"no_auto_create,omitempty"`

	// Docker is the engine's address. Default: DOCKER_HOST or the local socket.
	Docker string `json:"docker,omitempty"`
	// Pool is the range of the apps' subnets. Default: 10.192.0.0/11.
	Pool string `json:"pool,omitempty"`
	// NamePrefix begins the names of the apps' containers, so that another program on the
	// engine, such as Dokku, can have the names without it. Default: none.
	NamePrefix string `json:"name_prefix,omitempty"`
	// StorageRoot is the data root, see StorageDir. Default: DefaultStorageRoot.
	StorageRoot string `json:"storage_root,omitempty"`

	// StorageEntries are the folders and volumes of storage:create, by name.
	StorageEntries map[string]StorageEntry `json:"storage_entries,omitempty"`

	// Lifecycle is the folder of the lifecycle of Cloud Native Buildpacks. Default: where
	// install.sh builds it.
	Lifecycle string `json:"lifecycle,omitempty"`
	// Builder is the path of the socket of the server's own builder. Default: that of
	// install.sh's service.
	Builder string `json:"builder,omitempty"`

	// SSHPort is sshd's port on this host. Default: the port in sshd_config.
	SSHPort int `json:"ssh_port,omitempty"`

	Nginx NginxSettings `json:"nginx,omitzero"`
}

// NginxSettings are the ways to reach nginx. install.sh's values are the defaults.
type NginxSettings struct {
	Port    int      `json:"port,omitempty"`     // default 80
	TLSPort int      `json:"tls_port,omitempty"` // default 443
	Check   []string `json:"check,omitempty"`    // tests the staged files
	Reload  []string `json:"reload,omitempty"`   // makes nginx read the live files
	// LogDir is where nginx logs the apps' requests. Default: DefaultNginxLogDir.
	LogDir string `json:"log_dir,omitempty"`
	// FilesDir is a folder for files that nginx's workers read, which run as another user:
	// pages and lists of users. No other server may use it. Default: DefaultNginxFilesDir.
	FilesDir string `json:"files_dir,omitempty"`
	// Properties are the values of nginx:set --global.
	Properties map[string]string `json:"properties,omitempty"`
}

// Logs returns the folder of the apps' logs.
func (n NginxSettings) Logs() string { return cmp.Or(n.LogDir, DefaultNginxLogDir) }

// Files returns the folder of the files that nginx's workers read.
func (n NginxSettings) Files() string { return cmp.Or(n.FilesDir, DefaultNginxFilesDir) }

// Defaults of MaxScale, KeepReleases, NginxSettings.LogDir and NginxSettings.FilesDir.
const (
	DefaultMaxScale      = 100
	DefaultKeepReleases  = 5
	DefaultNginxLogDir   = "/var/log/nginx"
	DefaultNginxFilesDir = "/var/lib/dokku/data/nginx-files"
)
