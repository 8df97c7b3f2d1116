package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/plan"
)

// TestLeave leaves stops to the agent. It must finish each of them: a container that is
// being stopped could otherwise be mistaken for one that may serve.
func TestLeave(t *testing.T) {
	past := time.Now().Add(-time.Minute)
	for _, test := range []struct {
		name     string
		retiring map[string]time.Time
		steps    []plan.Step
		want     string
	}{
		{"a stop that is due already", map[string]time.Time{"a": past},
			[]plan.Step{{Action: plan.ActRetire, ID: "a", Running: true}, {Action: plan.ActForget, IDs: []string{"a"}}}, ``},
		{"others are forgotten all the same", map[string]time.Time{"a": past, "b": past},
			[]plan.Step{{Action: plan.ActRetire, ID: "a", Running: true}, {Action: plan.ActForget, IDs: []string{"a", "b"}}}, `
forget b`},
		{"a stop that nobody has recorded", nil, []plan.Step{{Action: plan.ActRetire, ID: "a", Running: true}}, `
due a: the agent stops them`},
		{"what has ended is removed at once", map[string]time.Time{"a": past},
			[]plan.Step{{Action: plan.ActRetire, ID: "a", Name: "x"}, {Action: plan.ActForget, IDs: []string{"a"}}}, `
retire x
forget a`},
	} {
		e := &deploy.Executor{Session: &deploy.Session{App: &app.App{State: app.State{Retiring: test.retiring}}}}
		var b strings.Builder
		for _, s := range e.Leave(test.steps) {
			fmt.Fprintf(&b, "\n%s", s)
		}
		if b.String() != test.want {
			t.Errorf("%s:\ngot%s\nwant%s", test.name, b.String(), test.want)
		}
	}
}
