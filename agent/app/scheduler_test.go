package app

import (
	"reflect"
	"strings"
	"testing"
)

func TestScheduler(t *testing.T) {
	v := View{App: &App{}, Settings: Settings{Scheduler: map[string]string{PropScheduler: SchedulerSwarm, PropMaxPerNode: "2", PropConstraints: "node.role == worker,  node.labels.zone!=a"}}}
	want := &Swarm{Constraints: []string{"node.role==worker", "node.labels.zone!=a"}, MaxPerNode: 2}
	if got := v.ContainerOptions().Swarm; v.Scheduler() != SchedulerSwarm || !reflect.DeepEqual(got, want) {
		t.Errorf("%s is placed by %+v", v.Scheduler(), got)
	}
	v.State.Scheduler = map[string]string{PropScheduler: SchedulerLocal}
	if v.Scheduler() != SchedulerLocal || v.ContainerOptions().Swarm != nil {
		t.Errorf("the app's own scheduler is %s", v.Scheduler())
	}
}

func TestPlacementSyntax(t *testing.T) {
	for _, good := range []string{"", "node.hostname==web-1", "node.labels.a.b != x:1, engine.labels.os==linux", "node.role==manager", "node.ip!=10.0.0.0/8", "node.platform.arch==x86_64"} {
		if err := CheckConstraints(good); err != nil {
			t.Error(err)
		}
	}
	for bad, want := range map[string]string{"zone==a": "no constraint", "node.labels.zone=a": "no constraint", "node.role==leader": "manager or worker",
		"node.hostname==": "no constraint", "node.labels.zone==a;b": "no constraint", "node.hostname==a node.id==b": "no constraint"} {
		if err := CheckConstraints(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := CheckPreferences("spread=node.labels.zone, spread = engine.labels.rack"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"node.labels.zone", "spread=node.hostname", "binpack=node.labels.zone"} {
		if CheckPreferences(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
