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

// Version is the version of state.json that this program writes. A file
// of a higher version is refused, never overwritten.
const Version = 1

// State is what people asked for of one app, and where its releases stand:
// the content of <app>/dokku/state.json. One rename replaces all of it.
type State struct {
	Version int `json:"version"`

	Config map[string]string `json:"config,omitempty"`
	Scale  map[string]int    `json:"scale,omitempty"` // ps:scale, by process type
	// ScaleNext is what ps:scale --skip-deploy left for the next deploy.
	ScaleNext map[string]int `json:"scale_next,omitempty"`

	Domains []string          `json:"domains,omitempty"` // none: <app>.<global domain>
	Checks  map[string]string `json:"checks,omitempty"`  // checks:set
	PS      map[string]string `json:"ps,omitempty"`      // ps:set
	Nginx   map[string]string `json:"nginx,omitempty"`   // nginx:set

	// What the next release takes up: see ContainerOptions.
	Mounts    []Mount           `json:"mounts,omitempty"`    // storage:mount
	Network   map[string]string `json:"network,omitempty"`   // network:set
	Resources map[string]string `json:"resources,omitempty"` // resource:limit, resource:reserve

	// DeployBranch is the branch whose pushes deploy, without refs/heads/.
	// Empty: the first of main and master that is pushed is adopted.
	DeployBranch string `json:"deploy_branch,omitempty"`

	// ProxyDisabled: web binds HostPort, HostPort+1, ... of the host instead of
	// being reached through the proxy. The port is kept once it was given.
	ProxyDisabled bool `json:"proxy_disabled,omitempty"`
	HostPort      int  `json:"host_port,omitempty"`

	// Ports are what ports:set set, ascending by the host's port. None: the
	// proxy's own port leads to the port that the image exposes.
	Ports []PortMap `json:"ports,omitempty"`

	// DomainsDisabled: the app has no names (domains:disable).
	DomainsDisabled bool              `json:"domains_disabled,omitempty"`
	Proxy           map[string]string `json:"proxy,omitempty"` // proxy:set

	// RevEnvVar is the variable that holds the revision. Default: GIT_REV.
	RevEnvVar string `json:"rev_env_var,omitempty"`

	// Locked: deploys are refused (apps:lock).
	Locked bool `json:"locked,omitempty"`

	// CreatedAt is zero for an app of an older version.
	CreatedAt time.Time `json:"created_at,omitzero"`

	// Renamed is set while something still carries the app's former name.
	Renamed *Renamed `json:"renamed,omitempty"`

	// Restored is set in an app that came from a backup.
	Restored *Restored `json:"restored,omitempty"`

	// Destroying: apps:destroy has begun; the agent finishes it.
	Destroying bool `json:"destroying,omitempty"`

	// Provisional: the app was made by a push and nothing was accepted yet.
	Provisional bool `json:"provisional,omitempty"`

	Current int     `json:"current,omitempty"` // release that serves; 0: none
	Staged  *Staged `json:"staged,omitempty"`
	Stopped bool    `json:"stopped,omitempty"` // ps:stop

	// Retiring holds containers that still serve what they have, by id, and
	// when they may be stopped. A zero time: the proxy has not been seen to
	// serve without them yet.
	Retiring map[string]time.Time `json:"retiring,omitempty"`
}

// Staged is a release that a push has prepared and that git is about to
// accept. The ref decides: once its tip is New the release goes live.
type Staged struct {
	Release int    `json:"release"`
	Ref     string `json:"ref"`
	Old     string `json:"old"`
	New     string `json:"new"`
	// Adopt becomes the deploy branch when the push is accepted.
	Adopt string     `json:"adopt,omitempty"`
	Owner proc.Owner `json:"owner"`
	Since time.Time  `json:"since"`
	// Started is when the push began.
	Started time.Time `json:"started"`
}

// Asked is the local scale with what the next deploy brings.
func (st *State) Asked() map[string]int { return Merged(st.Scale, st.ScaleNext) }

// Clone returns a copy that shares nothing that is changed in place.
func (st *State) Clone() State {
	c := *st
	c.Config, c.Scale, c.ScaleNext = maps.Clone(st.Config), maps.Clone(st.Scale), maps.Clone(st.ScaleNext)
	c.Checks, c.PS, c.Nginx = maps.Clone(st.Checks), maps.Clone(st.PS), maps.Clone(st.Nginx)
	c.Mounts, c.Network, c.Resources = slices.Clone(st.Mounts), maps.Clone(st.Network), maps.Clone(st.Resources)
	c.Domains, c.Retiring = slices.Clone(st.Domains), maps.Clone(st.Retiring)
	c.Ports, c.Proxy = slices.Clone(st.Ports), maps.Clone(st.Proxy)
	if st.Renamed != nil {
		r := *st.Renamed
		c.Renamed = &r
	}
	if st.Restored != nil {
		r := *st.Restored
		c.Restored = &r
	}
	return c
}

// Release is immutable: what a deploy runs. It is kept as
// <app>/dokku/releases/<number>.json.
type Release struct {
	Version int `json:"version"`
	Number  int `json:"number"`
	// Attempt tells two preparations that got the same number apart: a rejected
	// release gives its number back.
	Attempt string `json:"attempt"`
	// Kept are the process types that go on from an earlier release, since only
	// others were restarted (ps:restart APP TYPE).
	Kept     map[string]Identity `json:"kept,omitempty"`
	Revision string              `json:"revision"` // full commit id
	Image    string              `json:"image"`    // image id
	Port     int                 `json:"port"`     // of web
	// Detected is the port that the image exposes; Port is another one where
	// ports:set asked for it. 0 in releases of older versions: see detected.
	Detected int `json:"detected_port,omitempty"`
	// RevEnvVar: see State.
	RevEnvVar string `json:"rev_env_var,omitempty"`

	// Config is the environment of all processes, without PORT, DYNO and GIT_REV.
	Config map[string]string `json:"config,omitempty"`
	ContainerOptions
	// Files holds the control files that the revision ships, by name.
	Files map[string]string `json:"files,omitempty"`
	// Control is what Files say. The store and a build fill it.
	Control Control `json:"-"`
	// ProcfilePath is where the revision has its Procfile; empty: in its root.
	ProcfilePath string `json:"procfile_path,omitempty"`
	// StartCommand is what web runs where there is no Procfile; empty: the image's.
	StartCommand string `json:"start_command,omitempty"`

	Cause   string    `json:"cause"` // "push", "ps:restart", "config:set", ...
	Created time.Time `json:"created"`
}

// Identity is what the labels of a container say about the release it is of.
type Identity struct {
	Release int    `json:"release"`
	Attempt string `json:"attempt"`
}

// Short is the beginning of the revision, as people see it.
func (r *Release) Short() string { return Short(r.Revision) }

// Short is the beginning of a revision, as people see it.
func Short(revision string) string { return revision[:min(7, len(revision))] }

// Identity is that of the containers of a type.
func (r *Release) Identity(typ string) Identity {
	if id, kept := r.Kept[typ]; kept {
		return id
	}
	return Identity{r.Number, r.Attempt}
}

// Derive returns a new release with the number, that runs what r runs.
func (r *Release) Derive(number int, cause string) *Release {
	d := *r
	d.Number, d.Cause, d.Attempt, d.Created, d.Kept = number, cause, NewAttempt(), time.Now().UTC(), nil
	d.Config = maps.Clone(r.Config)
	return &d
}

// App is one app as it was read: a snapshot that does not change.
type App struct {
	Name    string
	Dir     string // the bare repository
	State   State
	Current *Release // nil: never deployed
}

// DetectedPort is the port that the app's image exposes, or the default.
func (a *App) DetectedPort() int {
	if a.Current == nil {
		return DefaultPort
	}
	return a.Current.DetectedPort()
}

// OwnEnvironment is what dokku itself puts into the environment of the app's web
// processes, whatever the config says. It is empty before the first deploy.
func (a *App) OwnEnvironment() map[string]string {
	if a.Current == nil {
		return nil
	}
	env := a.Current.Environment(Process{Type: "web", Index: 1})
	own := map[string]string{}
	for _, k := range []string{"DYNO", "PORT", a.Current.revVar()} {
		own[k] = env[k]
	}
	return own
}

// Deployed reports whether the app has a current release.
func (a *App) Deployed() bool { return a.Current != nil }

// Container is the name of an instance's container once it serves.
func (a *App) Container(ptype string, index int) string {
	return fmt.Sprintf("%s.%s.%d", a.Name, ptype, index)
}

// Environment is what a process finds in its environment: the app's config and
// what we say about it. PORT is for web only.
func (r *Release) Environment(p Process) map[string]string {
	env := maps.Clone(r.Config)
	if env == nil {
		env = map[string]string{}
	}
	env["DYNO"], env[r.revVar()] = p.String(), r.Revision
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

// revVar is the variable that holds the release's revision.
func (r *Release) revVar() string { return cmp.Or(r.RevEnvVar, DefaultRevEnvVar) }

// startCommand is what web runs in an image whose revision has no Procfile.
func (st *State) startCommand() string {
	return cmp.Or(st.PS[propDockerfileStart], st.PS[propStart])
}

// DetectedPort is the web port of the release's image. Releases from before there
// were port mappings have it as their only port.
func (r *Release) DetectedPort() int {
	if r.Detected != 0 {
		return r.Detected
	}
	return r.Port
}

// WebPort is the port of web with these settings.
func (st *State) WebPort(detected int) int {
	if len(st.Ports) > 0 && st.Ports[0].Container != 0 {
		return st.Ports[0].Container
	}
	return detected
}

// DefaultPort is the web port of an image that exposes none, as in Dokku.
const DefaultPort = 5000

func (a *App) Former() string {
	if r := a.State.Renamed; r != nil && r.From != a.Name {
		return r.From
	}
	return ""
}

// Renamed says that an app had another name, which some of its containers, its
// network or its images still carry: the engine cannot change the labels of what
// exists. As long as it is set no other app can get that name.
//
// It is written into the app's folder before the folder is renamed, and means
// nothing as long as From is the folder's own name: the rename of the folder is
// what commits.
type Renamed struct {
	From string `json:"from"`
	// Domains become the app's own: those below a global domain change with the
	// name.
	Domains []string `json:"domains,omitempty"`
	// Redeploy: the processes are to be replaced by new ones, which carry the new
	// name.
	Redeploy bool `json:"redeploy,omitempty"`
}

// Restored says that an app came from a backup. It appears stopped, in one rename
// with all it has, and is started then: whoever is killed in between leaves a whole
// app, which the agent starts.
type Restored struct {
	Backup string `json:"backup"` // which one
	// Pending: nothing was released since, so that the image of the current release
	// may not exist here.
	Pending bool `json:"pending,omitempty"`
	// Start: it ran when it was backed up, and is to run again.
	Start bool `json:"start,omitempty"`
}

// Starts reports whether the app is to be started.
func (r *Restored) Starts() bool { return r != nil && r.Start }

// Left is r of an app that is not to be started by itself any longer.
func (r *Restored) Left() *Restored {
	if !r.Starts() {
		return r
	}
	return &Restored{Backup: r.Backup, Pending: r.Pending}
}
