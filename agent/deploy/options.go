package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// ApplyOptions completes what a container of the release is started with.
func ApplyOptions(v app.View, s *engine.Spec, r *app.Release) error {
	for _, m := range r.Mounts {
		source, err := v.Settings.Source(m)
		if err != nil {
			return err
		}
		s.Mounts = append(s.Mounts, engine.Mount{Source: source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	s.Joins = slices.Clone(r.Networks)
	// A one-off container answers nobody.
	if s.Kind == engine.KindDeploy && len(s.Joins) > 0 {
		s.Aliases = []string{strings.TrimSuffix(v.Name+"."+s.Type+"."+r.NetworkTLD, ".")}
	}
	l, err := app.LimitsOf(r.Resources, s.Type)
	s.Limits = engine.Limits(l)
	return err
}

// checkOptions refuses, before anything is built or started, what could not be
// attached.
func (e *Env) checkOptions(ctx context.Context, v app.View, a app.ContainerOptions) error {
	for _, m := range a.Mounts {
		if _, err := v.Settings.Source(m); err != nil {
			return err
		}
	}
	if len(a.Networks) == 0 {
		return nil
	}
	host, err := e.Engine(v.Settings)
	if err != nil {
		return err
	}
	if err := Joinable(ctx, host, a.Networks); err != nil {
		return fmt.Errorf("%w; network:report %s shows who asks for it", err, v.Name)
	}
	return nil
}
