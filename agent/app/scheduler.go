package app

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Properties of scheduler:set and scheduler-docker-swarm:set, in State.Scheduler and
// Settings.Scheduler.
const (
	PropScheduler   = "selected"
	PropConstraints = "placement-constraints"
	PropPreferences = "placement-preferences"
	PropMaxPerNode  = "max-per-node"
)

// The schedulers.
const (
	SchedulerLocal = "docker-local" // this server's engine
	SchedulerSwarm = "docker-swarm" // the swarm that this server manages
)

// Swarm says how a swarm places a release's processes.
type Swarm struct {
	Constraints []string `json:"constraints,omitempty"` // "node.labels.zone==a"
	Preferences []string `json:"preferences,omitempty"` // "spread=node.labels.zone"
	// MaxPerNode is the most processes of one type that a node gets; 0: any number.
	MaxPerNode int `json:"max_per_node,omitempty"`
}

// SchedulerProperty returns a property of the scheduler: the app's, else the server's.
func (v View) SchedulerProperty(name string) string {
	return cmp.Or(v.State.Scheduler[name], v.Settings.Scheduler[name])
}

// Scheduler returns the scheduler of the next release. The processes of the current one are
// those of its own: see Release.OnSwarm.
func (v View) Scheduler() string { return cmp.Or(v.SchedulerProperty(PropScheduler), SchedulerLocal) }

// OnSwarm reports whether a swarm places the release's processes.
func (r *Release) OnSwarm() bool { return r != nil && r.Swarm != nil }

// swarm returns how the next release is placed; nil: it runs on this server.
func (v View) swarm() *Swarm {
	if v.Scheduler() != SchedulerSwarm {
		return nil
	}
	most, _ := strconv.Atoi(v.SchedulerProperty(PropMaxPerNode))
	return &Swarm{Constraints: placement(v.SchedulerProperty(PropConstraints)), Preferences: placement(v.SchedulerProperty(PropPreferences)), MaxPerNode: most}
}

// placement splits a list of constraints or preferences. Blanks around operators are left out.
func placement(value string) (list []string) {
	for _, part := range strings.Split(value, ",") {
		if part = strings.Join(strings.Fields(part), ""); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// What swarms know of a node, and the values that they compare it with.
var (
	constraintPattern = regexp.MustCompile(`^(node\.(id|hostname|role|ip|platform\.(os|arch)|labels\.[A-Za-z0-9._-]+)|engine\.labels\.[A-Za-z0-9._-]+)(==|!=)[A-Za-z0-9._:/*-]+$`)
	preferencePattern = regexp.MustCompile(`^spread=(node|engine)\.labels\.[A-Za-z0-9._-]+$`)
	rolePattern       = regexp.MustCompile(`^node\.role(==|!=)(manager|worker)$`)
)

// CheckConstraints refuses a value of placement-constraints that swarms do not understand.
func CheckConstraints(value string) error {
	for _, c := range placement(value) {
		switch {
		case !constraintPattern.MatchString(c):
			return fmt.Errorf("%.80q is no constraint: they are separated by commas, and each is node.hostname, node.id, node.ip, node.role, node.platform.os, node.platform.arch, "+
				"node.labels.NAME or engine.labels.NAME, then == or !=, and a value, such as node.labels.zone==a", c)
		case strings.HasPrefix(c, "node.role") && !rolePattern.MatchString(c):
			return fmt.Errorf("%.80q is no constraint: a role is manager or worker", c)
		}
	}
	return nil
}

// CheckPreferences refuses a value of placement-preferences that swarms do not understand.
func CheckPreferences(value string) error {
	for _, p := range placement(value) {
		if !preferencePattern.MatchString(p) {
			return fmt.Errorf("%.80q is no preference: they are separated by commas, and each spreads the processes over the values of a label, such as spread=node.labels.zone", p)
		}
	}
	return nil
}

// HasRegistry reports whether a registry is named that images can be pushed to.
func (v View) HasRegistry() bool {
	return v.PushesImages() || v.RegistryServer() != "" || v.State.Registry[PropImageRepo] != "" || v.RegistryProperty(PropImageRepoTemplate) != ""
}
