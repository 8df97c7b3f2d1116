package agent

import (
	"context"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/event"
	"fmt"
)

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
	plan, warnings, err := s.checkPlan(a, a.Current)
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
