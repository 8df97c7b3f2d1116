package deploy

import (
	"context"
	"fmt"
	"time"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// CheckSettings says how long the gate waits for what, and where each value
// comes from. A view without an app has the server's own.
func CheckSettings(a app.View) (checks.Settings, error) {
	from := checks.Sources{ServerConfig: a.Settings.Config, Server: a.Settings.Checks}
	if a.App != nil {
		from.AppConfig, from.App = a.State.Config, a.State.Checks
	}
	return checks.Resolve(from)
}

// EffectiveChecks is CheckSettings with what the current release's CHECKS file
// sets, which wins.
func EffectiveChecks(a app.View) (checks.Settings, error) {
	settings, err := CheckSettings(a)
	if err != nil || a.Current == nil {
		return settings, err
	}
	file, err := parseChecks(a.Current)
	if err != nil || file == nil {
		return settings, err
	}
	_, settings, err = file.Over(settings)
	return settings, err
}

// A checksFile is a release's CHECKS file, parsed.
type checksFile struct {
	checks.File
	warnings []checks.Warning
}

// parseChecks reads a release's CHECKS file; nil: it has none.
func parseChecks(r *app.Release) (*checksFile, error) {
	src, ok := r.Files[app.FileChecks]
	if !ok {
		return nil, nil
	}
	f, warnings, err := checks.ParseCHECKS([]byte(src))
	if err != nil {
		return nil, err
	}
	return &checksFile{f, warnings}, nil
}

// checkPlan says which checks the types of a release have to pass.
func (x *Session) checkPlan(r *app.Release) (checks.Plan, []checks.Warning, error) {
	if x.checksOf != r.Attempt {
		f, err := parseChecks(r)
		if err != nil {
			return checks.Plan{}, nil, err
		}
		x.checks, x.checksOf = f, r.Attempt
	}
	return x.Env.checkPlan(x.View(), r, x.checks)
}

// checkPlan says which checks the types of a release have to pass with its CHECKS
// file; nil: there is none.
func (e *Env) checkPlan(a app.View, r *app.Release, f *checksFile) (checks.Plan, []checks.Warning, error) {
	settings, err := CheckSettings(a)
	if err != nil {
		return checks.Plan{}, nil, err
	}
	var file *checks.File
	var warnings []checks.Warning
	if f != nil {
		file, warnings = &f.File, f.warnings
	}
	plan, more, err := checks.NewPlan(r.Control.Procfile.Types(), file, r.Control.AppJSON, settings)
	if err != nil {
		return plan, nil, err
	}
	plan.Domains = a.Domains()
	plan.Dial = e.Dial
	return plan, append(warnings, more...), err
}

// A instances lets the gate look at an engine's containers.
type observer struct{ engine.Runner }

// Process implements checks.Observer.
func (o observer) Process(ctx context.Context, id string) (checks.Process, error) {
	i, err := o.Instance(ctx, id)
	return checks.Process{Status: checks.Status(i.Status), ExitCode: i.ExitCode, OOMKilled: i.OOMKilled,
		Restarts: i.Restarts, Finished: i.Finished}, err
}

// Check runs the checks of the app's current release against processes that run:
// those that match one of only, "web" or "web.1", or all of them.
func (e *Env) Check(ctx context.Context, a app.View, only []string, log event.Log) error {
	file, err := parseChecks(a.Current)
	if err != nil {
		return err
	}
	plan, warnings, err := e.checkPlan(a, a.Current, file)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn("%s", w)
	}
	host, err := e.machine(a.Settings)
	if err != nil {
		return err
	}
	plan.Exec = host
	instances, err := e.InstancesOf(ctx, a)
	if err != nil {
		return err
	}
	targets, err := chosen(instances, only, a.Current.Port)
	if err != nil {
		return err
	}
	return checks.Gate(ctx, plan, targets, observer{host}, log.WithApp(a.Name))
}

// waitToRetire is how long old web processes serve what they have after the
// switch.
func waitToRetire(v app.View) time.Duration {
	s, err := CheckSettings(v)
	if err != nil {
		return checks.Defaults().WaitToRetire
	}
	return s.WaitToRetire
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
