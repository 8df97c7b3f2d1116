package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// CheckSettings says how long the gate waits for what, and where each value
// comes from. A view without an app has the server's own.
func CheckSettings(a View) (checks.Settings, error) {
	from := checks.Sources{ServerConfig: a.Settings.Config, Server: a.Settings.Checks}
	if a.App != nil {
		from.AppConfig, from.App = a.State.Config, a.State.Checks
	}
	return checks.Resolve(from)
}

// EffectiveChecks is CheckSettings with what the current release's CHECKS file
// sets, which wins.
func EffectiveChecks(a View) (checks.Settings, error) {
	settings, err := CheckSettings(a)
	if err != nil || a.Current == nil {
		return settings, err
	}
	src, ok := a.Current.Files[fileChecks]
	if !ok {
		return settings, nil
	}
	f, _, err := checks.ParseCHECKS([]byte(src), settings)
	return f.Settings, err
}

// checkPlan says which checks the types of a release have to pass.
func (s *Env) checkPlan(a View, r *Release, c control) (checks.Plan, []checks.Warning, error) {
	settings, err := CheckSettings(a)
	if err != nil {
		return checks.Plan{}, nil, err
	}
	var file *checks.File
	var warnings []checks.Warning
	if src, ok := r.Files[fileChecks]; ok {
		f, w, err := checks.ParseCHECKS([]byte(src), settings)
		if err != nil {
			return checks.Plan{}, nil, err
		}
		file, warnings = &f, w
	}
	plan, more, err := checks.NewPlan(c.procfile.Types(), file, c.appJSON, settings)
	if err != nil {
		return plan, nil, err
	}
	plan.Domains = a.Domains()
	plan.Dial = s.dial
	return plan, append(warnings, more...), err
}

// gate returns nil once every process that was started has passed its checks.
func (o *rollout) gate(ctx context.Context) (err error) {
	if len(o.targets) == 0 {
		return nil
	}
	plan, warnings, err := o.checkPlan(o.view(), o.release, o.control)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		o.log.Warn("%s", w)
	}
	plan.Exec = o.host
	done := o.log.Timed("gate")
	defer func() { done(err) }()
	return checks.Gate(ctx, plan, o.targets, o.host, o.log)
}

// waitToRetire is how long old web processes serve what they have after the
// switch.
func waitToRetire(v View) time.Duration {
	s, err := CheckSettings(v)
	if err != nil {
		return checks.Defaults().WaitToRetire
	}
	return s.WaitToRetire
}

// report tells why a deploy was rejected, and returns the error that is left to
// print.
func (o *rollout) report(ctx context.Context, err error) error {
	var f *checks.Failure
	failed := errors.As(err, &f)
	if failed {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		f.Print(o.log, o.Name, o.lastLines(ctx, f.Target.ID))
		err = &rejection{o.view().Serves(), err}
	}
	for _, what := range o.ran {
		text := fmt.Sprintf("The %s command had run by then: what it changed, a database say, stays changed", what)
		if failed {
			o.log.Warn("%s", text)
		} else { // below what is left to print
			err = fmt.Errorf("%w\n%s", err, text)
		}
	}
	return err
}

// unchanged adds to the error that ended a deploy what it has left.
func (x *session) unchanged(err error) error {
	var r *rejection
	if err == nil || errors.As(err, &r) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w\nNothing has changed: %s", err, x.view().Serves())
}

// A rejection is an error whose cause has been printed.
type rejection struct {
	serves string
	cause  error
}

func (r *rejection) Error() string { return "Nothing has changed: " + r.serves }
func (r *rejection) Unwrap() error { return r.cause }

// reportLines is how many lines of a failed process's log a push prints.
const reportLines = 20

func (o *rollout) lastLines(ctx context.Context, id string) []string {
	var lines []string
	w := &event.Lines{Longest: maxLine, Line: func(l string) {
		if l != "" {
			lines = append(lines, event.Printable(l))
		}
	}}
	err := o.host.Logs(ctx, id, engine.LogOptions{Tail: reportLines}, w)
	w.Flush()
	if err != nil {
		lines = append(lines, "(its log cannot be read: "+strings.TrimSpace(err.Error())+")")
	}
	return lines
}

// RunChecks runs the app's checks against the processes that run: those that
// match one of only, "web" or "web.1", or all of them.
func (s *Server) RunChecks(ctx context.Context, app string, only []string, log event.Log) error {
	a, err := s.View(app)
	if err != nil {
		return err
	}
	if a.Current == nil {
		return &NotDeployedError{app}
	}
	c, err := a.Current.parse(a.Settings)
	if err != nil {
		return err
	}
	plan, warnings, err := s.checkPlan(a, a.Current, c)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn("%s", w)
	}
	host, err := s.Engine(a.Settings)
	if err != nil {
		return err
	}
	plan.Exec = host
	instances, err := s.InstancesOf(ctx, a)
	if err != nil {
		return err
	}
	targets, err := chosen(instances, only, a.Current.Port)
	if err != nil {
		return err
	}
	return checks.Gate(ctx, plan, targets, host, log.WithApp(app))
}

// chosen are the processes that match one of only.
func chosen(instances []engine.Instance, only []string, port int) ([]checks.Target, error) {
	var targets []checks.Target
	matched := map[string]bool{}
	for _, i := range instances {
		t := target(i, port)
		t.Restarts = i.Restarts
		wanted := len(only) == 0
		for _, o := range only {
			if o == t.Type || o == t.Name {
				matched[o], wanted = true, true
			}
		}
		if wanted {
			targets = append(targets, t)
		}
	}
	for _, o := range only {
		if !matched[o] {
			//lint:ignore ST1005 the text is Dokku's
			return nil, fmt.Errorf("Invalid process type specified (%s): none of it runs", o)
		}
	}
	return targets, nil
}

func target(i engine.Instance, port int) checks.Target {
	p := Process{Type: i.Type, Index: i.Index}
	return checks.Target{Name: p.String(), Type: i.Type, ID: i.ID, Address: i.Address, Port: port, Started: i.Started}
}
