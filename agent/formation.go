package agent

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"dokku/agent/engine"
	"dokku/scale"
)

// Control files that a revision may ship, all of them in its root.
const (
	fileProcfile   = "Procfile"
	fileDokkuScale = "DOKKU_SCALE"
	fileChecks     = "CHECKS"
	fileAppJSON    = "app.json"
)

var controlFiles = []string{fileProcfile, fileDokkuScale, fileChecks, fileAppJSON}

// control is what the control files of a release say.
type control struct {
	procfile scale.Procfile
	scale    scale.DokkuScale
	appJSON  scale.AppJSON
}

// parse reads a release's control files, within the server's limits.
func (r *Release) parse(set Settings) (c control, err error) {
	if src, ok := r.Files[fileProcfile]; ok {
		if c.procfile, err = scale.ParseProcfile([]byte(src)); err != nil {
			return c, r.nameProcfile(err)
		}
	}
	if src, ok := r.Files[fileDokkuScale]; ok {
		if c.scale, err = scale.ParseDokkuScale([]byte(src), set.MaxScale); err != nil {
			return c, err
		}
	}
	if src, ok := r.Files[fileAppJSON]; ok {
		c.appJSON, err = scale.ParseAppJSON([]byte(src))
	}
	return c, err
}

// nameProcfile makes a problem of the Procfile name the file that it is in.
func (r *Release) nameProcfile(err error) error {
	var problems scale.Problems
	if r.ProcfilePath == "" || !errors.As(err, &problems) {
		return err
	}
	problems = slices.Clone(problems)
	for n := range problems {
		problems[n].File = r.ProcfilePath
	}
	return problems
}

// resolve decides how many of what the release runs with the local settings.
func (c control) resolve(local map[string]int) (scale.Formation, []scale.Note, error) {
	return scale.Resolve(scale.Inputs{Procfile: c.procfile, DokkuScale: c.scale, AppJSON: c.appJSON, Local: local})
}

// Formation says how many processes of each type people asked for, and where
// each number comes from. An app that was never deployed has its local
// settings only.
func (s *Server) Formation(a *App) (scale.Formation, error) {
	return s.formation(a, a.State.asked())
}

// formation is Formation with these local settings.
func (s *Server) formation(a *App, local map[string]int) (scale.Formation, error) {
	set, err := s.Settings()
	if err != nil {
		return nil, err
	}
	if a.Current == nil {
		var f scale.Formation
		for _, t := range slices.Sorted(maps.Keys(local)) {
			f = append(f, scale.Entry{Type: t, Count: local[t], Origin: scale.FromLocal})
		}
		return f, nil
	}
	c, err := a.Current.parse(set)
	if err != nil {
		return nil, err
	}
	f, _, err := c.resolve(local)
	return f, err
}

// spec says how to start a process of a release.
func (x *session) spec(r *Release, p Process, name string, at netip.Addr) (engine.Spec, error) {
	id := r.identity(p.Type)
	s := engine.Spec{App: x.Name, Kind: engine.KindDeploy, Type: p.Type, Index: p.Index,
		Release: id.Release, Attempt: id.Attempt, Name: name, Image: r.Image,
		Address: at, Port: r.Port, HostPort: p.HostPort,
		RestartPolicy: x.property(propRestartPolicy), StopTimeout: x.grace()}
	env := r.environment(p)
	for _, k := range slices.Sorted(maps.Keys(env)) {
		s.Env = append(s.Env, k+"="+env[k])
	}
	if err := x.attach(&s, r); err != nil {
		return s, err
	}
	c, err := r.parse(x.set)
	if err != nil {
		return s, err
	}
	command := c.command(p.Type)
	if c.procfile == nil && p.Type == scale.Web {
		command = r.StartCommand
	}
	if command == "" {
		return s, nil
	}
	s.Command, err = scaleCommand(command, env)
	return s, err
}

// command is what the Procfile declares for a type; "" where it does not.
func (c control) command(typ string) string {
	declared, _ := c.procfile.Lookup(typ)
	return declared.Command
}

// environment is what a process finds in its environment: the app's config and
// what we say about it. PORT is for web only.
func (r *Release) environment(p Process) map[string]string {
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

// revEnvVar is the variable that a new release gets: the app's, else the
// server's; "" is the default.
func (x *session) revEnvVar(st State) string {
	return cmp.Or(st.RevEnvVar, x.set.Git["rev-env-var"])
}

// OwnEnvironment is what dokku itself puts into the environment of the app's web
// processes, whatever the config says. It is empty before the first deploy.
func (s *Server) OwnEnvironment(a *App) map[string]string {
	if a.Current == nil {
		return nil
	}
	env := a.Current.environment(Process{Type: "web", Index: 1})
	own := map[string]string{}
	for _, k := range []string{"DYNO", "PORT", a.Current.revVar()} {
		own[k] = env[k]
	}
	return own
}

// Properties that ps:set sets, for an app or for the server.
const (
	propDockerfileStart = "dockerfile-start-cmd"
	propProcfilePath    = "procfile-path"
	propRestartPolicy   = "restart-policy"
	propSkipDeploy      = "skip-deploy"
	propStart           = "start-cmd"
	propStopTimeout     = "stop-timeout-seconds"
)

// PSDefaults are the defaults of the properties that ps:set sets.
var PSDefaults = map[string]string{
	propProcfilePath:  fileProcfile,
	propRestartPolicy: "on-failure:10",
	propSkipDeploy:    "false",
	propStopTimeout:   "30",
}

// startCommand is what web runs in an image whose revision has no Procfile.
func (st *State) startCommand() string {
	return cmp.Or(st.PS[propDockerfileStart], st.PS[propStart])
}

// property returns a ps property: the app's, else the server's, else the default.
func (x *session) property(name string) string {
	if v := x.State.PS[name]; v != "" {
		return v
	}
	if v := x.set.PS[name]; v != "" {
		return v
	}
	return PSDefaults[name]
}

// grace is how long a process may take to end after TERM.
func (x *session) grace() time.Duration {
	n, err := strconv.Atoi(x.property(propStopTimeout))
	if err != nil || n < 0 {
		n = 30
	}
	return time.Duration(n) * time.Second
}

// refuseScaling returns an error when the current release ships its own
// formation, so that a local setting would have no effect.
func (s *Server) refuseScaling(a *App) error {
	if a.Current == nil {
		return nil
	}
	f, err := s.Formation(a)
	if err != nil {
		return err
	}
	return f.Shipped(a.Name, a.Current.Revision[:min(7, len(a.Current.Revision))])
}
