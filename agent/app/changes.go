package app

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is a difference between a release and the one that served before it.
type Change struct {
	What string `json:"what"`           // "code", "config", the name of a control file, ...
	Text string `json:"text,omitempty"` // never a value of the config
}

func (c Change) String() string { return strings.TrimSpace(c.What + " " + c.Text) }

// Changes lists how after differs from before, which is nil for a first release. Of the
// config it has the names alone: values are secrets.
func Changes(before, after *Release) []Change {
	var list []Change
	add := func(what, format string, args ...any) {
		list = append(list, Change{what, fmt.Sprintf(format, args...)})
	}
	if after.Of != 0 {
		add("rollback", "to v%d", after.Of)
	}
	if before == nil {
		add("code", "%s", after.Short())
		return list
	}
	switch {
	case before.Revision != after.Revision:
		add("code", "%s to %s", before.Short(), after.Short())
	case before.Image != after.Image:
		add("image", "built again")
	}
	if names := changedNames(before.Config, after.Config); len(names) > 0 {
		add("config", "%s", strings.Join(names, ", "))
	}
	for _, name := range ControlFiles {
		if verb := changed(before.Files, after.Files, name); verb != "" {
			add(name, "%s", verb)
		}
	}
	if before.Builder != after.Builder {
		add("builder", "%s to %s", before.Builder, after.Builder)
	}
	if before.Port != after.Port {
		add("port", "%d to %d", before.Port, after.Port)
	}
	if before.OnSwarm() != after.OnSwarm() {
		names := map[bool]string{false: SchedulerLocal, true: SchedulerSwarm}
		add("scheduler", "%s to %s", names[before.OnSwarm()], names[after.OnSwarm()])
	} else if !reflect.DeepEqual(before.Swarm, after.Swarm) {
		add("placement", "changed")
	}
	if b, a := before.Isolation, after.Isolation; (b == nil) != (a == nil) {
		add("isolation", "%s", map[bool]string{true: "on", false: "off"}[a != nil])
	} else if b != nil && b.Version != a.Version {
		add("isolation", "changed")
	}
	if before.StartCommand != after.StartCommand {
		add("start command", "%s", verb(before.StartCommand != "", after.StartCommand != ""))
	}
	if before.BindAll != after.BindAll {
		add(NetworkBindAll, "%t to %t", before.BindAll, after.BindAll)
	}
	for _, part := range []struct {
		what          string
		before, after any
	}{
		{"storage", before.Mounts, after.Mounts},
		{"networks", before.Networks, after.Networks},
		{"resources", before.Resources, after.Resources},
		{"docker options", before.DockerOptions, after.DockerOptions},
	} {
		if b, a := reflect.ValueOf(part.before), reflect.ValueOf(part.after); !reflect.DeepEqual(part.before, part.after) && b.Len()+a.Len() > 0 {
			add(part.what, "%s", verb(b.Len() > 0, a.Len() > 0))
		}
	}
	return list
}

// changedNames returns the names whose value differs: "A added", "B removed".
func changedNames(before, after map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(Merged(before, after))) {
		if v := changed(before, after, name); v != "" {
			list = append(list, name+" "+v)
		}
	}
	return list
}

// changed says how an entry differs; "": not at all.
func changed(before, after map[string]string, name string) string {
	b, was := before[name]
	a, is := after[name]
	if was == is && a == b {
		return ""
	}
	return verb(was, is)
}

func verb(was, is bool) string {
	switch {
	case !was:
		return "added"
	case !is:
		return "removed"
	}
	return "changed"
}
