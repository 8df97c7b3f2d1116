package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"dokku/agent/proc"
)

// Version is the version of state.json that this program writes. It refuses a file of
// a higher version and never overwrites it.
const Version = 1

// State holds an app's settings and the position of its releases: the content of
// <app>/dokku/state.json. One rename replaces all of it.
type State struct {
	Version int `json:"version"`

	Config map[string]string `json:"config,omitempty"`
	Scale  map[string]int    `json:"scale,omitempty"` // ps:scale, by process type
	// ScaleNext is the scale that ps:scale --skip-deploy set for the next deploy.
	ScaleNext map[string]int `json:"scale_next,omitempty"`

	Domains []string          `json:"domains,omitempty"` // none: <app>.<global domain>
	Checks  map[string]string `json:"checks,omitempty"`  // checks:set
	PS      map[string]string `json:"ps,omitempty"`      // ps:set
	Nginx   map[string]string `json:"nginx,omitempty"`   // nginx:set
	Logs    map[string]string `json:"logs,omitempty"`    // logs:set
	Git     map[string]string `json:"git,omitempty"`     // git:set, the budgets of pushes: see GitBudgets

	// Apps has the properties of apps:set that have no field of their own.
	Apps map[string]string `json:"apps,omitempty"`

	// Build has the properties that say how a revision becomes an image, of builder:set,
	// builder-dockerfile:set, ... and app-json:set: see BuildProperty.
	Build map[string]string `json:"build,omitempty"`
	// Buildpacks are those of buildpacks:add, in their order.
	Buildpacks []string `json:"buildpacks,omitempty"`
	// BuildOptions are those of docker-options:add APP build, as they were added.
	BuildOptions []string `json:"build_options,omitempty"`

	// DockerOptions are those of docker-options:add APP deploy and run: see OptionsKey.
	DockerOptions map[string][]string `json:"docker_options,omitempty"`

	// The next release copies these: see ContainerOptions.
	Mounts  []Mount           `json:"mounts,omitempty"`  // storage:mount
	Network map[string]string `json:"network,omitempty"` // network:set
	// Inert has settings of components of Dokku's that are not here, by "NOUN:NAME".
	Inert     map[string]string `json:"inert,omitempty"`
	Resources map[string]string `json:"resources,omitempty"` // resource:limit, resource:reserve
	Links     []Link            `json:"links,omitempty"`     // postgres:link, ...

	// Isolation says how the containers of new releases are kept from hurting the host and other
	// apps: see IsolationNow. IsolationSet has the properties of isolation:set.
	Isolation    int               `json:"isolation,omitempty"`
	IsolationSet map[string]string `json:"isolation_set,omitempty"`

	// DeployBranch is the branch whose pushes deploy, without refs/heads/. If it is
	// empty, the first push of main or master sets it.
	DeployBranch string `json:"deploy_branch,omitempty"`

	// ProxyDisabled: web binds the host's ports HostPort, HostPort+1, ... instead of
	// using the proxy. The app keeps the port once it has one.
	ProxyDisabled bool `json:"proxy_disabled,omitempty"`
	HostPort      int  `json:"host_port,omitempty"`

	// Ports are the mappings of ports:set, ascending by the host's port. Without any,
	// the proxy's own port leads to the port that the image exposes.
	Ports []PortMap `json:"ports,omitempty"`

	// Certificate is that of certs:add; nil: none.
	Certificate *Certificate `json:"certificate,omitempty"`
	// Letsencrypt has the properties of letsencrypt:set, and Issued the certificates that a
	// CA issued. certs:add replaces them.
	Letsencrypt map[string]string `json:"letsencrypt,omitempty"`
	Issued      []Certificate     `json:"issued,omitempty"`

	// NoDomains: the app has no domains beside its own ones, not its default ones either
	// (domains:clear, or its last one was removed).
	NoDomains bool `json:"no_domains,omitempty"`
	// What stands in front of the app: see beside.go.
	Maintenance     bool                `json:"maintenance,omitempty"`      // maintenance:enable
	MaintenancePage string              `json:"maintenance_page,omitempty"` // the id of its own page; "": the built-in one
	Redirects       map[string]Redirect `json:"redirects,omitempty"`        // redirect:set, by the domain
	Auth            *Auth               `json:"http_auth,omitempty"`        // http-auth; nil: never used

	// DomainsDisabled: the app has no domains (domains:disable).
	DomainsDisabled bool              `json:"domains_disabled,omitempty"`
	Proxy           map[string]string `json:"proxy,omitempty"` // proxy:set

	// RevEnvVar is the variable that holds the revision. Default: DefaultRevEnvVar;
	// NoRevEnvVar: none.
	RevEnvVar string `json:"rev_env_var,omitempty"`
	// KeepGitDir: "true" gives builds a .git folder; "": the server's value counts.
	KeepGitDir string `json:"keep_git_dir,omitempty"`

	// Declared is what apps:set said of where the current release came from; nil: nothing.
	Declared *Declared `json:"declared_source,omitempty"`
	// Scheduler has the properties of scheduler:set.
	Scheduler map[string]string `json:"scheduler,omitempty"`
	// Registry has the properties of registry:set.
	Registry map[string]string `json:"registry,omitempty"`
	// RemoteTags are the id of the image that the current release had, and the names that
	// push-extra-tags gave it in the registry.
	RemoteTags string `json:"remote_tags,omitempty"`

	// Synced is what git:sync fetched last without deploying it; nil: nothing.
	Synced *Synced `json:"synced,omitempty"`

	// PushColour is the app's color property: ColourAlways, ...; "" is the server's.
	PushColour string `json:"push_color,omitempty"`

	// Locked: deploys are refused (apps:lock).
	Locked bool `json:"locked,omitempty"`

	// CreatedAt is zero for an app of an older version.
	CreatedAt time.Time `json:"created_at,omitzero"`

	// Renamed is set while resources still carry the app's former name.
	Renamed *Renamed `json:"renamed,omitempty"`

	// Restored is set in an app that came from a backup.
	Restored *Restored `json:"restored,omitempty"`

	// Destroying: apps:destroy has begun; the agent finishes it.
	Destroying bool `json:"destroying,omitempty"`

	// FirstScriptRan: app.json's scripts.postdeploy has run. An app with a release counts
	// as if it had.
	FirstScriptRan bool `json:"first_script_ran,omitempty"`

	// Provisional: a push created the app, and no revision has passed the validation yet.
	Provisional bool `json:"provisional,omitempty"`

	// Kept is when the last push of a validated revision began, in an app that a push
	// created and that has neither a setting nor a release yet: see KeptAge. Else it is zero.
	Kept time.Time `json:"kept,omitzero"`

	// KeepReleases is the app's number of releases with an image; 0: the server's. Pinned
	// are releases that are kept beside them, ascending.
	KeepReleases int   `json:"keep_releases,omitempty"`
	Pinned       []int `json:"pinned_releases,omitempty"`

	// Hooks are those of notify:add. NoEvents: no events are recorded (events:off).
	Hooks    []Hook `json:"hooks,omitempty"`
	NoEvents bool   `json:"no_events,omitempty"`

	// Cron has the properties of cron:set, CronSuspended the keys of the tasks of
	// cron:suspend.
	Cron          map[string]string `json:"cron,omitempty"`
	CronSuspended []string          `json:"cron_suspended,omitempty"`

	Current int     `json:"current,omitempty"` // the current release; 0: none
	Staged  *Staged `json:"staged,omitempty"`
	Stopped bool    `json:"stopped,omitempty"` // ps:stop

	// Retiring holds the containers that still finish requests, by id, and the time
	// from which each may be stopped. The zero time means that the proxy may still
	// route to the container.
	Retiring map[string]time.Time `json:"retiring,omitempty"`
}

// Staged is a release that a push has prepared and that git may accept. The ref
// decides: once its tip is New, the release goes live.
type Staged struct {
	Release int    `json:"release"`
	Ref     string `json:"ref"`
	Old     string `json:"old"`
	New     string `json:"new"`
	// Adopt becomes the deploy branch when git accepts the push.
	Adopt string     `json:"adopt,omitempty"`
	Owner proc.Owner `json:"owner"`
	Since time.Time  `json:"since"`
	// Started is when the push began.
	Started time.Time `json:"started"`
	// Log is the number of the deploy's log; 0: it has none.
	Log int `json:"log,omitempty"`
}

// Asked returns the local scale of the next deploy.
func (st *State) Asked() map[string]int { return Merged(st.Scale, st.ScaleNext) }

// Clone returns a copy that shares no map or slice with st.
func (st *State) Clone() State {
	c := *st
	c.Config, c.Scale, c.ScaleNext = maps.Clone(st.Config), maps.Clone(st.Scale), maps.Clone(st.ScaleNext)
	c.Checks, c.PS, c.Nginx, c.Logs = maps.Clone(st.Checks), maps.Clone(st.PS), maps.Clone(st.Nginx), maps.Clone(st.Logs)
	c.Git, c.Apps = maps.Clone(st.Git), maps.Clone(st.Apps)
	c.Build, c.BuildOptions = maps.Clone(st.Build), slices.Clone(st.BuildOptions)
	c.DockerOptions = cloneLists(st.DockerOptions)
	c.Buildpacks, c.Pinned = slices.Clone(st.Buildpacks), slices.Clone(st.Pinned)
	c.Mounts, c.Network, c.Resources = slices.Clone(st.Mounts), maps.Clone(st.Network), maps.Clone(st.Resources)
	c.Links = slices.Clone(st.Links)
	c.Domains, c.Retiring = slices.Clone(st.Domains), maps.Clone(st.Retiring)
	c.Ports, c.Proxy = slices.Clone(st.Ports), maps.Clone(st.Proxy)
	c.Redirects, c.Auth = maps.Clone(st.Redirects), st.Auth.clone()
	c.IsolationSet = maps.Clone(st.IsolationSet)
	c.Inert, c.Scheduler, c.Registry = maps.Clone(st.Inert), maps.Clone(st.Scheduler), maps.Clone(st.Registry)
	if st.Declared != nil {
		d := *st.Declared
		c.Declared = &d
	}
	c.Cron, c.CronSuspended = maps.Clone(st.Cron), slices.Clone(st.CronSuspended)
	c.Letsencrypt, c.Hooks = maps.Clone(st.Letsencrypt), slices.Clone(st.Hooks)
	if st.Certificate != nil {
		t := st.Certificate.clone()
		c.Certificate = &t
	}
	c.Issued = nil
	for _, t := range st.Issued {
		c.Issued = append(c.Issued, t.clone())
	}
	if st.Renamed != nil {
		r := *st.Renamed
		c.Renamed = &r
	}
	if st.Restored != nil {
		r := *st.Restored
		c.Restored = &r
	}
	if st.Synced != nil {
		s := *st.Synced
		c.Synced = &s
	}
	return c
}

// App is a snapshot of one app, as the store read it.
type App struct {
	Name    string
	Dir     string // the bare repository
	State   State
	Current *Release // nil: never deployed
}

// DetectedPort returns the port that the current image exposes, or DefaultPort.
func (a *App) DetectedPort() int {
	if a.Current == nil {
		return DefaultPort
	}
	return a.Current.DetectedPort()
}

// OwnEnvironment returns the variables that dokku sets for web.1 itself, over the
// config. It is empty before the first deploy.
func (a *App) OwnEnvironment() map[string]string {
	if a.Current == nil {
		return nil
	}
	env := a.Current.Environment(Process{Type: "web", Index: 1})
	own := map[string]string{}
	for _, k := range []string{"DYNO", "PORT", a.Current.RevisionVariable()} {
		if k != "" {
			own[k] = env[k]
		}
	}
	return own
}

// Deployed reports whether the app has a current release.
func (a *App) Deployed() bool { return a.Current != nil }

// Container returns the final name of an instance's container.
func (a *App) Container(ptype string, index int) string {
	return fmt.Sprintf("%s.%s.%d", a.Name, ptype, index)
}

// Environment returns the environment of a process: the release's config, DYNO, the
// revision and, for web only, PORT.
func (r *Release) Environment(p Process) map[string]string {
	env := maps.Clone(r.Config)
	if env == nil {
		env = map[string]string{}
	}
	env["DYNO"] = p.String()
	if name := r.RevisionVariable(); name != "" {
		env[name] = r.Revision
	}
	if p.Type == "web" {
		env["PORT"] = strconv.Itoa(r.Port)
	} else {
		delete(env, "PORT")
	}
	return env
}

// DefaultRevEnvVar is the variable that holds the revision unless git:set names
// another one.
const DefaultRevEnvVar = "GIT_REV"

// NoRevEnvVar stands for no variable, where "" stands for the default one. It is no name of
// a variable.
const NoRevEnvVar = "-"

// RevisionVariable returns the variable that holds the release's revision; "": none.
func (r *Release) RevisionVariable() string {
	if r.RevEnvVar == NoRevEnvVar {
		return ""
	}
	return cmp.Or(r.RevEnvVar, DefaultRevEnvVar)
}

// startCommand returns web's command for a revision without a Procfile.
func (st *State) startCommand() string {
	return cmp.Or(st.PSProperty(propDockerfileStart), st.PSProperty(propStart))
}

// DetectedPort returns the web port of the release's image. Releases older than port
// mappings have only Port.
func (r *Release) DetectedPort() int {
	if r.Detected != 0 {
		return r.Detected
	}
	return r.Port
}

// WebPort returns web's port: the first mapping's container port, else detected.
func (st *State) WebPort(detected int) int {
	if len(st.Ports) > 0 && st.Ports[0].Container != 0 {
		return st.Ports[0].Container
	}
	return detected
}

// DefaultPort is the web port of an image that exposes none, as in Dokku.
const DefaultPort = 5000

// Former returns the name that the app had before a rename, while resources carry it;
// else "".
func (a *App) Former() string {
	if r := a.State.Renamed; r != nil && r.From != a.Name {
		return r.From
	}
	return ""
}

// Renamed records an app's former name, which its containers, its network or its images
// still carry: an engine cannot change the labels of existing resources. While it is
// set, no other app can get that name.
//
// It is written before the app's folder is renamed. The rename of the folder commits:
// until then From is the folder's own name, and Renamed has no meaning.
type Renamed struct {
	From string `json:"from"`
	// Domains become the app's own domains. A domain below a global one contains the
	// app's name and changes with it.
	Domains []string `json:"domains,omitempty"`
	// Redeploy: replace the processes by new ones with the new name.
	Redeploy bool `json:"redeploy,omitempty"`
}

// Restored records that an app came from a backup. One rename makes the app appear,
// complete and stopped; then it is started. After a kill in between, the agent starts
// it.
type Restored struct {
	Backup string `json:"backup"` // the backup's id
	// Pending: there was no release since the restore, so the current release's image
	// may be missing.
	Pending bool `json:"pending,omitempty"`
	// Start: the app ran when it was backed up and has to be started.
	Start bool `json:"start,omitempty"`
	// Attempts is how often it was begun to start it without an end: somebody was killed, or
	// crashed.
	Attempts int `json:"attempts,omitempty"`
}

// MaxRestoreAttempts is how many attempts an app gets: one that crashes whoever starts it must
// not do so for ever.
const MaxRestoreAttempts = 3

// Starts reports whether the app has to be started.
func (r *Restored) Starts() bool { return r != nil && r.Start }

// Left returns r without Start: nothing starts the app on its own any longer.
func (r *Restored) Left() *Restored {
	if !r.Starts() {
		return r
	}
	return &Restored{Backup: r.Backup, Pending: r.Pending}
}
