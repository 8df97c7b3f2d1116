package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/plan"
)

// TestLeave leaves stops to the agent. A container must stay recorded as retiring until
// it is gone: otherwise it could be chosen to serve while the agent stops it.
func TestLeave(t *testing.T) {
	past := time.Now().Add(-time.Minute)
	for _, test := range []struct {
		name     string
		retiring map[string]time.Time
		steps    []plan.Step
		want     string
	}{
		{"a stop that is already due", map[string]time.Time{"a": past},
			[]plan.Step{{Action: plan.ActRetire, ID: "a", Running: true}, {Action: plan.ActForget, IDs: []string{"a"}}}, ``},
		{"entries of other containers are dropped", map[string]time.Time{"a": past, "b": past},
			[]plan.Step{{Action: plan.ActRetire, ID: "a", Running: true}, {Action: plan.ActForget, IDs: []string{"a", "b"}}}, `
forget b`},
		{"a stop that is not recorded yet", nil, []plan.Step{{Action: plan.ActRetire, ID: "a", Running: true}}, `
due a: the agent stops them`},
		{"an ended container is removed at once", map[string]time.Time{"a": past},
			[]plan.Step{{Action: plan.ActRetire, ID: "a", Name: "x"}, {Action: plan.ActForget, IDs: []string{"a"}}}, `
retire x
forget a`},
		{"a process that has never served is killed at once", nil, []plan.Step{{Action: plan.ActRetire, ID: "a", Name: "x", Running: true, Kill: true}}, `
kill x`},
	} {
		e := &executor{session: &Session{App: &app.App{State: app.State{Retiring: test.retiring}}}}
		var b strings.Builder
		for _, s := range e.leave(test.steps) {
			fmt.Fprintf(&b, "\n%s", s)
		}
		if b.String() != test.want {
			t.Errorf("%s:\ngot%s\nwant%s", test.name, b.String(), test.want)
		}
	}
}

// TestParallel: all ends of a plan run side by side, kept containers and removed ones
// alike. Starts wait for what frees their place.
func TestParallel(t *testing.T) {
	for _, test := range []struct {
		actions []plan.Action
		want    int
	}{
		{[]plan.Action{plan.ActStop, plan.ActRetire, plan.ActStop, plan.ActForget}, 3},
		{[]plan.Action{plan.ActFree, plan.ActFree, plan.ActStart}, 2},
		{[]plan.Action{plan.ActStart, plan.ActStart, plan.ActPublish}, 2},
		{[]plan.Action{plan.ActPublish, plan.ActPublish}, 1},
	} {
		var steps []plan.Step
		for _, a := range test.actions {
			steps = append(steps, plan.Step{Action: a})
		}
		if got := parallel(steps); got != test.want {
			t.Errorf("%v: got %d, want %d", test.actions, got, test.want)
		}
	}
}

// TestDistinct: a process of which older containers still drain is named once.
func TestDistinct(t *testing.T) {
	web := func(i int) app.Process { return app.Process{Type: "web", Index: i} }
	given := []app.Process{web(2), {Type: "clock", Index: 1}, web(1), web(2), web(10), web(1)}
	if got := names(distinct(given)); got != "clock.1 web.1 web.2 web.10" {
		t.Error(got)
	}
}
