package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLeave leaves stops to the agent: none may be forgotten before it is done,
// or a container that is being stopped would be taken for one that may serve.
func TestLeave(t *testing.T) {
	past := testNow.Add(-time.Minute)
	for _, test := range []struct {
		name     string
		retiring map[string]time.Time
		steps    []Step
		want     string
	}{
		{"a stop that is due already", map[string]time.Time{"a": past},
			[]Step{{Action: ActRetire, ID: "a", Running: true}, {Action: ActForget, IDs: []string{"a"}}}, ``},
		{"others are forgotten all the same", map[string]time.Time{"a": past, "b": past},
			[]Step{{Action: ActRetire, ID: "a", Running: true}, {Action: ActForget, IDs: []string{"a", "b"}}}, `
forget b`},
		{"a stop that nobody has recorded", nil, []Step{{Action: ActRetire, ID: "a", Running: true}}, `
due a: the agent stops them`},
		{"what has ended is removed at once", map[string]time.Time{"a": past},
			[]Step{{Action: ActRetire, ID: "a", Name: "x"}, {Action: ActForget, IDs: []string{"a"}}}, `
retire x
forget a`},
	} {
		e := &executor{session: &session{App: &App{State: State{Retiring: test.retiring}}}}
		var b strings.Builder
		for _, s := range e.leave(test.steps) {
			fmt.Fprintf(&b, "\n%s", s)
		}
		if b.String() != test.want {
			t.Errorf("%s:\ngot%s\nwant%s", test.name, b.String(), test.want)
		}
	}
}
