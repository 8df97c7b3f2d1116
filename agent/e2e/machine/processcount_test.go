package machine

import (
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// TestProcessesAreBounded (P3): an app.json with a quantity of 5,000,000, or thousands of types
// of 100 processes each, took a server's memory before its processes took the rest. The
// processes of an app and of all apps have a maximum. One that is lowered later keeps no app
// from being deployed as it is.
func TestProcessesAreBounded(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h) // two web and a worker
	m.must(m.server.Create(t.Context(), "blog", false))
	h.fetch(t, m.server.Env.Store.Dir("blog"))
	m.must(m.pushWith(t.Context(), "blog", deploy.ZeroID, h.one, deploy.PushOptions{}, event.Log{}))
	set := func(name, value string) {
		t.Helper()
		m.must(m.server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error { cli.Put(&s.PS, name, value); return nil }))
	}
	scale := func(web int, skip bool, want string) {
		t.Helper()
		err := m.server.Scale(t.Context(), "shop", map[string]int{"web": web}, skip, event.Log{})
		if want == "" {
			m.must(err)
		} else if err == nil || err.Error() != want {
			t.Errorf("web=%d: %v, want %q", web, err, want)
		}
	}
	set(app.PropMaxProcesses, "3")
	for _, skip := range []bool{false, true} {
		scale(3, skip, "shop would run 4 processes, more than 3; lower the counts, or: dokku ps:set shop max-processes NUMBER")
	}
	set(app.PropMaxProcesses, "1")
	scale(1, false, "") // less than now
	scale(2, false, "shop would run 3 processes, more than 1; lower the counts, or: dokku ps:set shop max-processes NUMBER")
	m.must(m.push(h.one, h.two))
	set(app.PropMaxProcesses, "")
	set(app.PropServerProcesses, "4")
	scale(3, false, "with the 4 processes of shop, the apps of this server would run 5, more than 4; lower the counts, or: dokku ps:set --global server-max-processes NUMBER")
	scale(2, false, "")
	set(app.PropMaxProcesses, "1")
	set(app.PropServerProcesses, "")
	m.must(m.server.Stop(t.Context(), "shop", event.Log{}))
	before := m.files()
	if err := m.push(h.two, h.two); err == nil || !strings.Contains(err.Error(), "shop would run 3 processes, more than 1; ") {
		t.Errorf("a push: %v", err)
	}
	m.wantFiles(before)
}
