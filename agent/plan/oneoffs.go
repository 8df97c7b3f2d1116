package plan

import (
	"slices"

	"dokku/agent/engine"
)

// OneOffs returns the one-off containers (dokku run) among all.
func OneOffs(all []engine.Instance) []engine.Instance {
	return slices.DeleteFunc(slices.Clone(all), func(i engine.Instance) bool { return i.Kind != engine.KindRun })
}
