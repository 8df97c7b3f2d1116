package machine

import (
	"fmt"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
)

// TestRetiringIsBounded: an app.json that sets DOKKU_WAIT_TO_RETIRE to a day kept the web
// processes of each push until the next day: six pushes had 15 containers of 3 that count. The
// app's maximum, and the server's, leave room for some; the oldest end after a minute.
func TestRetiringIsBounded(t *testing.T) {
	file := func(n int) string {
		return fmt.Sprintf(`{"env": {"DOKKU_WAIT_TO_RETIRE": {"value": "86400", "sync": true}}, "n": %d}`, n)
	}
	m := newCronMachine(t, file(0)) // two web and a worker
	set := func(name, value string) {
		t.Helper()
		check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error { cli.Put(&s.PS, name, value); return nil }))
	}
	n := 0
	push := func(when string, wantLong, wantShort int) {
		t.Helper()
		n++
		next := m.revision(m.rev, file(n))
		check(t, m.push(m.rev, next))
		m.rev = next
		o, err := m.engine.Observe(t.Context(), "shop")
		check(t, err)
		st, err := m.server.Env.Store.State("shop")
		check(t, err)
		long, short := 0, 0
		for _, i := range o.Instances {
			due, retiring := st.Retiring[i.ID]
			switch {
			case !retiring || i.Kind != engine.KindDeploy || !i.Running():
			case time.Until(due) > time.Minute:
				long++
			default:
				short++
			}
		}
		if long != wantLong || short != wantShort {
			t.Errorf("%s: %d retire until tomorrow, %d within a minute, want %d and %d", when, long, short, wantLong, wantShort)
		}
	}
	push("the second", 4, 0) // the first came with the machine
	push("the third", 6, 0)
	set(app.PropMaxProcesses, "7") // 3 and 4
	push("above the app's", 4, 4)
	set(app.PropMaxProcesses, "")
	set(app.PropServerProcesses, "8")
	push("above the server's", 4, 6)
}
