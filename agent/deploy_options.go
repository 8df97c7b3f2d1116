package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/engine"
)

// applyOptions completes what a container of the release is started with.
func applyOptions(v View, s *engine.Spec, r *Release) error {
	for _, m := range r.Mounts {
		source, err := v.Settings.source(m)
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
	l, err := LimitsOf(r.Resources, s.Type)
	s.Limits = engine.Limits(l)
	return err
}

// checkOptions refuses, before anything is built or started, what could not be
// attached.
func (e *Env) checkOptions(ctx context.Context, v View, a ContainerOptions) error {
	for _, m := range a.Mounts {
		if _, err := v.Settings.source(m); err != nil {
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
	if err := joinable(ctx, host, a.Networks); err != nil {
		return fmt.Errorf("%w; network:report %s shows who asks for it", err, v.Name)
	}
	return nil
}
