package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/engine"
)

// Attached is what the containers of a release get besides image, command and
// environment. Like the environment it is part of the release: a container that
// ps:scale adds to the current release has what its siblings have, and a change
// takes effect with the next release.
type Attached struct {
	Mounts []Mount `json:"mounts,omitempty"`
	// Networks are joined beside the app's own, before a process starts.
	Networks []string `json:"networks,omitempty"`
	// NetworkTLD ends the app's names on those networks.
	NetworkTLD string `json:"network_tld,omitempty"`
	// Resources are limits and reservations, by "web.limit.memory"; see Limits.
	Resources map[string]string `json:"resources,omitempty"`
}

// attached is what a new release gets with these settings of the app.
func (x *session) attached(st State) Attached {
	c := st.clone()
	network := func(name string) string {
		if v := st.Network[name]; v != "" {
			return v
		}
		return x.set.Network[name]
	}
	a := Attached{Mounts: c.Mounts, Resources: c.Resources, NetworkTLD: network(NetworkTLD)}
	for _, property := range networkLists {
		for _, name := range SplitNetworks(network(property)) {
			if !slices.Contains(a.Networks, name) {
				a.Networks = append(a.Networks, name)
			}
		}
	}
	return a
}

// attach completes what a container of the release is started with.
func (x *session) attach(s *engine.Spec, r *Release) error {
	for _, m := range r.Mounts {
		source, err := x.set.source(m)
		if err != nil {
			return err
		}
		s.Mounts = append(s.Mounts, engine.Mount{Source: source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	s.Joins = slices.Clone(r.Networks)
	// A one-off container answers nobody.
	if s.Kind == engine.KindDeploy && len(s.Joins) > 0 {
		s.Aliases = []string{strings.TrimSuffix(x.Name+"."+s.Type+"."+r.NetworkTLD, ".")}
	}
	var err error
	s.Limits, err = Limits(r.Resources, s.Type)
	return err
}

// attachable refuses, before anything is built or started, what could not be
// attached.
func (x *session) attachable(ctx context.Context, a Attached) error {
	for _, m := range a.Mounts {
		if _, err := x.set.source(m); err != nil {
			return err
		}
	}
	if len(a.Networks) == 0 {
		return nil
	}
	if err := x.Joinable(ctx, a.Networks); err != nil {
		return fmt.Errorf("%w; network:report %s shows who asks for it", err, x.Name)
	}
	return nil
}
