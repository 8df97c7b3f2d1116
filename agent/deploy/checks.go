package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/inspect"
)

// EffectiveChecks is inspect.CheckSettings with the values of the current release's CHECKS
// file, which win.
func EffectiveChecks(a app.View) (checks.Settings, error) {
	settings, err := inspect.CheckSettings(a)
	if err != nil || a.Current == nil {
		return settings, err
	}
	file, err := inspect.ParseChecks(a.Current)
	if err != nil || file == nil {
		return settings, err
	}
	_, settings, err = file.Over(settings)
	return settings, err
}

// checkPlan returns the checks that the release's process types have to pass. It
// parses CHECKS once for a release. image is the HEALTHCHECK of its image; nil: none, or
// not built yet.
func (x *Session) checkPlan(r *app.Release, image *checks.Healthcheck) (checks.Plan, []checks.Warning, error) {
	if x.checksOf != r.Attempt {
		f, err := inspect.ParseChecks(r)
		if err != nil {
			return checks.Plan{}, nil, err
		}
		x.checks, x.checksOf = f, r.Attempt
	}
	return x.Env.checkPlan(x.View(), r, x.checks, image)
}

// checkPlan returns the checks of the release's process types; f is its CHECKS file and
// image the HEALTHCHECK of its image, or nil.
func (e *Env) checkPlan(a app.View, r *app.Release, f *inspect.ChecksFile, image *checks.Healthcheck) (checks.Plan, []checks.Warning, error) {
	plan, warnings, err := inspect.CheckPlan(a, r, f, image)
	plan.Dial, plan.DialSecure = e.Dial, e.dialNode
	return plan, warnings, err
}

// ReplacesHealthchecks reports whether the current release ships checks for web in CHECKS
// and in app.json. It is false for files that are invalid now; a deploy refuses them.
func ReplacesHealthchecks(a app.View) bool {
	file, err := inspect.ParseChecks(a.Current)
	if err != nil {
		return false
	}
	plan, _, err := (&Env{}).checkPlan(a, a.Current, file, nil)
	return err == nil && plan.Replaced
}

// skipChecks makes the release pass the default checks alone, and records that.
func (x *Session) skipChecks(r *app.Release, skip bool) {
	if x.checksSkipped, r.ChecksSkipped = skip, skip; skip {
		x.Log.Warn("Skipping CHECKS and healthchecks, as -o skip-checks asks: web only has to listen on its port, and nothing may end")
	}
}

// imageCheck returns an image's HEALTHCHECK; nil: none.
func imageCheck(info engine.ImageInfo) *checks.Healthcheck {
	if info.Healthcheck == nil {
		return nil
	}
	h := checks.Healthcheck(*info.Healthcheck)
	return &h
}

// An observer shows the gate an engine's containers.
type observer struct{ engine.Runner }

// Process returns the state of a container's process.
func (o observer) Process(ctx context.Context, id string) (checks.Process, error) {
	i, err := o.Instance(ctx, id)
	if errors.Is(err, engine.ErrNoContainer) {
		return checks.Process{Status: checks.StatusRemoving}, nil
	}
	return checks.Process{Status: checks.Status(i.Status), ExitCode: i.ExitCode, OOMKilled: i.OOMKilled,
		Restarts: i.Restarts, Finished: i.Finished, Created: i.Created}, err
}

// Listening returns where a container's process listens. What the engine says of another node
// is too long for a push.
func (o observer) Listening(ctx context.Context, id string) ([]netip.AddrPort, error) {
	all, err := o.Runner.Listening(ctx, id)
	if errors.Is(err, engine.ErrElsewhere) {
		err = errors.New("it runs on another node")
	}
	return all, err
}

// Check runs the checks of the app's current release against its running processes, or
// against those that match an entry of only, "web" or "web.1".
func (e *Env) Check(ctx context.Context, a app.View, only []string, log event.Log) error {
	file, err := inspect.ParseChecks(a.Current)
	if err != nil {
		return err
	}
	host, err := e.machine(a.Settings)
	if err != nil {
		return err
	}
	var info engine.ImageInfo // its HEALTHCHECK does not run on a swarm
	if !a.Current.OnSwarm() {
		info, err = host.Image(ctx, a.Current.Image)
	}
	if err != nil && !errors.Is(err, engine.ErrNoImage) { // the processes outlive their image
		return err
	}
	plan, warnings, err := e.checkPlan(a, a.Current, file, imageCheck(info))
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn("%s", w)
	}
	plan.Exec = host
	instances, err := e.InstancesOf(ctx, a)
	if err != nil {
		return err
	}
	targets, err := chosen(instances, only, a)
	if err != nil {
		return err
	}
	return checks.Gate(ctx, plan, targets, observer{host}, log.WithApp(a.Name))
}

// WaitToRetire returns the time that old web processes get for their open requests
// after the switch.
func WaitToRetire(v app.View) time.Duration {
	s, err := inspect.CheckSettings(v)
	if err != nil {
		return checks.Defaults().WaitToRetire
	}
	return s.WaitToRetire
}

// chosen returns the processes that match an entry of only.
func chosen(instances []engine.Instance, only []string, v app.View) ([]checks.Target, error) {
	var targets []checks.Target
	matched := map[string]bool{}
	for _, i := range instances {
		if i.Placed() {
			i.Started = between(time.Time{}, i.Started, time.Now())
		}
		t := target(i, v.Current.Port, v.HasTLS())
		t.Restarts, t.Created = i.Restarts, i.Created
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
