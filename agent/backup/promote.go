package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// stillServed refuses a restore to another server of the swarm that the apps were on, while
// no registry is set: an app that cannot be started is restored stopped, and that would end the
// processes that still serve visitors.
func (x *restore) stillServed(ctx context.Context, apps []*app.App, set app.Settings) error {
	if from, ok, err := x.settingsOf(); err != nil {
		return err
	} else if ok && len(x.o.Apps) == 0 {
		mergeSettings(&set, from, x.o.Force)
	}
	host, err := x.Server.Env.Engine(set)
	if err != nil {
		return err
	}
	var names []string
	for _, a := range apps {
		v := app.View{App: a, Settings: set}
		if v.Scheduler() != app.SchedulerSwarm || v.HasRegistry() {
			continue
		}
		o, err := host.Observe(ctx, a.Name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(o.Instances, func(i engine.Instance) bool { return i.Placed() && i.Running() }) {
			names = append(names, a.Name)
		}
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s still runs on this server's swarm, and no registry is set from which the nodes would pull the image of its new processes: "+needsRegistry, names[0])
	}
	return fmt.Errorf("%s still run on this server's swarm, and no registry is set from which the nodes would pull the images of their new processes: "+needsRegistry,
		strings.Join(names, ", "))
}

const needsRegistry = "set one first: sudo dokku registry:serve, or dokku registry:set --global server REGISTRY"
