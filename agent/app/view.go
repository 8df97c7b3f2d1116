package app

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/build/options"
	"dokku/scale"
)

// View is an app together with the server's settings. It answers questions about the
// app's settings and needs no lock.
type View struct {
	*App
	Settings Settings
}

// With returns the view of the app with another state.
func (v View) With(st State) View {
	a := *v.App
	a.State = st
	return View{&a, v.Settings}
}

// Properties of ps:set.
const (
	propDockerfileStart = "dockerfile-start-cmd"
	propInit            = "init"
	// PropMaxProcesses is the most processes that an app may run, PropServerProcesses that all
	// apps may: the server's alone.
	PropMaxProcesses = "max-processes"
	// PropMaxImagePorts is the most ports that the image of an app may expose.
	PropMaxImagePorts   = "max-image-ports"
	PropServerProcesses = "server-max-processes"
	// PropMaxRuns is the most commands of run and cron tasks of an app at the same time,
	// PropServerRuns that of all apps: the server's alone.
	PropMaxRuns       = "max-runs"
	PropServerRuns    = "server-max-runs"
	PropProcfilePath  = "procfile-path"
	PropRestartPolicy = "restart-policy"
	PropRollover      = "rollover"
	PropSkipDeploy    = "skip-deploy"
	propStart         = "start-cmd"
	propStopTimeout   = "stop-timeout-seconds"
)

// PSDefaults are the defaults of ps:set's properties.
var PSDefaults = map[string]string{
	propInit: "true",

	PropMaxImagePorts:   "64",
	PropMaxProcesses:    "250",
	PropServerProcesses: "2000",
	PropMaxRuns:         "50",
	PropServerRuns:      "500",

	PropProcfilePath:  FileProcfile,
	PropRestartPolicy: "on-failure:10",
	PropSkipDeploy:    "false",
	propStopTimeout:   "30",
}

// psVariables are the config variables of an app that were properties of ps:set before Dokku
// 0.38, and which its clients still set.
// Source: https://dokku.com/docs/appendices/0.38.0-migration-guide/
var psVariables = map[string]string{
	propDockerfileStart: "DOKKU_DOCKERFILE_START_CMD",
	PropSkipDeploy:      "DOKKU_SKIP_DEPLOY",
	propStart:           "DOKKU_START_CMD",
}

// Property returns a ps property: the app's, else that of its config variable, else the
// server's, else the default.
func (v View) Property(name string) string {
	return cmp.Or(v.State.PSProperty(name), v.Settings.PS[name], PSDefaults[name])
}

// PSProperty returns a ps property that was set for the app alone.
func (st *State) PSProperty(name string) string {
	return cmp.Or(st.PS[name], st.Config[psVariables[name]])
}

// PSNumber returns a property of ps:set that is a number. A value that is none, which somebody
// must have written by hand, is an error.
func (v View) PSNumber(name string) (int, error) {
	value := v.Property(name)
	if name == PropServerProcesses || name == PropServerRuns { // no app may raise it
		value = cmp.Or(v.Settings.PS[name], PSDefaults[name])
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("cannot use %s %q: it has to be a number above 0; correct it with dokku ps:set", name, value)
	}
	return n, nil
}

// NginxProperty returns a property of nginx:set: the app's, else the server's.
func (v View) NginxProperty(name string) string {
	return cmp.Or(v.State.Nginx[name], v.Settings.Nginx.Properties[name])
}

// Properties of nginx:set that are not the route's own: NginxNoCustomConfig leaves out the
// app's nginx.conf.d, NginxTemplate is the path of Dokku's template in the repository, the
// others are the server's alone.
const (
	NginxTemplate        = "nginx-conf-sigil-path"
	DefaultNginxTemplate = "nginx.conf.sigil"

	NginxNoCustomConfig = "disable-custom-config"
	NginxTrusted        = "trusted-proxies"
	NginxUnknown        = "unknown-names"
)

// NginxLog returns the path of the app's log of a kind, "access" or "error"; "off" if
// there is none.
func (v View) NginxLog(kind string) string {
	return cmp.Or(v.NginxProperty(kind+"-log-path"), filepath.Join(v.Settings.Nginx.Logs(), v.Name+"-"+kind+".log"))
}

// LogMaxSize is the property of logs:set for the size of a process's log, LogUnlimited its
// value for any size.
const (
	LogMaxSize   = "max-size"
	LogUnlimited = "unlimited"
)

// NetworkProperty returns a property of network:set: the app's, else the server's.
func (v View) NetworkProperty(name string) string {
	return cmp.Or(v.State.Network[name], v.Settings.Network[name])
}

// Grace returns the time between TERM and KILL for a process that is stopped.
func (v View) Grace() time.Duration {
	n, err := strconv.Atoi(v.Property(propStopTimeout))
	if err != nil || n < 0 {
		n = 30
	}
	return time.Duration(n) * time.Second
}

// DeployBranch returns the branch whose pushes deploy; "" if the next push sets it.
func (v View) DeployBranch() string {
	return cmp.Or(v.State.DeployBranch, v.Settings.Git["deploy-branch"])
}

// PropKeepGitDir is the property of git:set that KeepGitDir returns.
const PropKeepGitDir = "keep-git-dir"

// KeepGitDir is "true" if builds get a .git folder, else "false".
func (v View) KeepGitDir() string {
	return cmp.Or(v.State.KeepGitDir, v.Settings.Git[PropKeepGitDir], "false")
}

// RevEnvVar returns the variable that holds a new release's revision; "" means
// DefaultRevEnvVar.
func (v View) RevEnvVar() string {
	return cmp.Or(v.State.RevEnvVar, v.Settings.Git["rev-env-var"])
}

// PropShell is the property of scheduler:set that Shell returns.
const PropShell = "shell"

// Shell returns the shell that enter opens; "": the first that a container has.
func (v View) Shell() string {
	return cmp.Or(v.State.Scheduler[PropShell], v.Settings.Scheduler[PropShell])
}

// Config returns the config of a new release: the server's variables, then the app's.
func (v View) Config() map[string]string {
	c := map[string]string{}
	maps.Copy(c, v.Settings.Config)
	maps.Copy(c, v.State.Config)
	return c
}

// ContainerOptions returns the container options of a new release.
func (v View) ContainerOptions() ContainerOptions {
	c := v.State.Clone()
	a := ContainerOptions{Swarm: v.swarm(), Isolation: v.isolation(), Mounts: c.Mounts, Resources: c.Resources, Links: c.Links, NetworkTLD: v.NetworkProperty(NetworkTLD),
		BindAll: v.NetworkProperty(NetworkBindAll) == "true",
		NoInit:  v.Property(propInit) == "false", LogSize: cmp.Or(v.State.Logs[LogMaxSize], v.Settings.Logs[LogMaxSize])}
	delete(c.DockerOptions, string(options.Run)) // one-off containers have the present ones
	if len(c.DockerOptions) > 0 {
		a.DockerOptions = c.DockerOptions
	}
	for _, property := range NetworkLists {
		for _, name := range SplitNetworks(v.NetworkProperty(property)) {
			if !slices.Contains(a.Networks, name) {
				a.Networks = append(a.Networks, name)
			}
		}
	}
	return a
}

// Provide copies the present settings into a new release.
func (v View) Provide(r *Release) {
	r.Config, r.StartCommand, r.ContainerOptions = v.Config(), v.State.startCommand(), v.ContainerOptions()
	r.ServerConfig = []string{}
	for _, name := range slices.Sorted(maps.Keys(v.Settings.Config)) {
		if _, own := v.State.Config[name]; !own {
			r.ServerConfig = append(r.ServerConfig, name)
		}
	}
	r.RevEnvVar = v.RevEnvVar()
}

// Formation returns the formation of the next deploy: the count of each process type
// and its origin. Without a current release only the local scale counts.
func (v View) Formation() (scale.Formation, error) {
	return v.FormationWith(v.State.Asked())
}

// FormationWith is Formation with another local scale.
func (v View) FormationWith(local map[string]int) (scale.Formation, error) {
	if v.Current == nil {
		var f scale.Formation
		for _, t := range slices.Sorted(maps.Keys(local)) {
			f = append(f, scale.Entry{Type: t, Count: local[t], Origin: scale.FromLocal})
		}
		return f, nil
	}
	f, _, err := v.Current.Control.Resolve(local)
	return f, err
}

// Rollovers returns how a deploy replaces the processes of a release: as its app.json says,
// and as ps:set says of the other types. r may be nil. An error is about the setting; then
// app.json's alone are returned.
func (v View) Rollovers(r *Release) (scale.Rollovers, error) {
	local, err := scale.ParseRollovers(v.Property(PropRollover))
	if err != nil {
		err = fmt.Errorf("cannot use the property rollover of %s: %w; correct it with dokku ps:set %[1]s rollover", v.Name, err)
	}
	if r == nil {
		return local, err
	}
	return r.Control.AppJSON.Over(local), err
}

// FormationOf returns the formation of a release that is about to take over, with the scale
// that ps:scale --skip-deploy set for it, and what its files override or cannot use of the
// app's settings.
func (v View) FormationOf(r *Release) (scale.Formation, []scale.Note, error) {
	f, notes, err := r.Control.Resolve(v.State.Asked())
	if err != nil {
		return f, notes, err
	}
	local, err := v.Rollovers(nil)
	return f, append(notes, r.Control.AppJSON.RolloverNotes(local, r.Control.Procfile.Types())...), err
}

// RefuseScaling returns an error if the current release ships its own formation: a
// local scale would have no effect.
func (v View) RefuseScaling() error {
	if v.Current == nil {
		return nil
	}
	f, err := v.Formation()
	if err != nil {
		return err
	}
	return f.Shipped(v.Name, v.Current.Short())
}

// Declares reports whether the current release's Procfile has a process type.
func (v View) Declares(typ string) bool {
	if v.Current == nil {
		return false
	}
	_, found := v.Current.Control.Procfile.Lookup(typ)
	return found
}

// Domains returns the app's host names: its own, else one below each global domain,
// else one below the server's name. It returns none if they are disabled.
func (v View) Domains() []string {
	switch {
	case v.State.DomainsDisabled:
		return nil
	case len(v.State.Domains) > 0:
		return slices.Clone(v.State.Domains)
	case v.State.NoDomains:
		return nil
	case strings.Contains(v.Name, "."):
		return []string{v.Name} // as in Dokku: the app's name is a domain
	}
	var list []string
	for _, d := range v.Settings.Domains {
		list = append(list, v.Name+"."+d)
	}
	if len(list) == 0 {
		list = []string{v.Name + "." + HostName()}
	}
	return list
}

// Ports returns the app's port mappings, ascending by the host's port: its own, else
// the default one. The container port of the first mapping is the web port: the value
// of PORT, and the port that the gate checks.
func (v View) Ports() []PortMap {
	list := slices.Clone(v.State.Ports)
	if len(list) == 0 {
		list = v.DefaultPorts()
	}
	for i := range list {
		list[i] = v.Shown(list[i])
	}
	return list
}

// DefaultPorts are the mappings of an app that has none of its own.
func (v View) DefaultPorts() []PortMap { return v.DefaultPortsOf(v.Current) }

// DefaultPortsOf are those with a release, which may be nil. With ports:set --global
// expose-mapping dokku, the host's port is that which the image exposes.
func (v View) DefaultPortsOf(r *Release) []PortMap {
	list := []PortMap{{Scheme: "http", Host: v.Settings.Nginx.Port}}
	if v.ExposedAsIs(r) {
		list[0].Host = r.Detected
	}
	if len(v.Certificates()) > 0 {
		list = append(list, PortMap{Scheme: "https", Host: v.Settings.Nginx.TLSPort})
	}
	return list
}

// ExposedAsIs reports whether the port that a release's image exposes is also the host's, as
// Dokku maps it. The port for TLS is not for plain HTTP.
func (v View) ExposedAsIs(r *Release) bool {
	return v.Settings.Ports[ExposeMapping] == ExposeAsDokku && len(v.State.Ports) == 0 && !v.State.ProxyDisabled &&
		r != nil && r.Exposes && r.Detected != v.Settings.Nginx.TLSPort
}

// Shown returns a mapping with its real container port, for people.
func (v View) Shown(m PortMap) PortMap {
	if m.Container == 0 {
		m.Container = v.DetectedPort()
	}
	return m
}

// Serves returns the app's present state for the message of a failed change.
func (v View) Serves() string {
	switch {
	case v.Current == nil:
		return v.Name + " has not been deployed yet"
	case v.State.Stopped:
		return v.Name + " is stopped"
	}
	return fmt.Sprintf("v%d (%s) serves", v.Current.Number, v.Current.Short())
}
