package watch

import (
	"time"

	"dokku/agent/cgroup"
)

// sweepStaging removes the folders of killed commands. A download may have gigabytes.
func (w *Controller) sweepStaging() {
	if time.Since(w.swept) >= stagingEvery {
		w.swept = time.Now()
		w.Server.Env.Store.SweepStaging()
		w.sweepGroups()
	}
}

// sweepGroups removes the cgroups of killed pushes and clones, and what still runs in them.
func (w *Controller) sweepGroups() {
	set, err := w.Server.Env.Store.Settings()
	if err != nil {
		return
	}
	if tree, err := cgroup.Open(set.Cgroup); err == nil {
		w.groups.Sweep(tree)
	}
}
