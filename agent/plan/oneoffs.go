package plan

import (
	"slices"
	"time"

	"dokku/agent/engine"
)

// CronGrace is how long after its deadline a container of a cron task is left to the
// scheduler, which stops it at the deadline and keeps its log.
const CronGrace = 5 * time.Minute

// OneOffs returns the one-off containers among all: those of dokku run, and of cron tasks.
func OneOffs(all []engine.Instance) []engine.Instance {
	return slices.DeleteFunc(slices.Clone(all), func(i engine.Instance) bool { return !oneOff(i) })
}

func oneOff(i engine.Instance) bool { return i.Kind == engine.KindRun || i.Kind == engine.KindCron }
