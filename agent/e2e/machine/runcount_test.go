package machine

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/journal"
	"dokku/agent/oneoff"

	"dokku/agent/event"
)

// TestRunsAreBounded: an app.json with 300 tasks of `sleep 90000` every minute had 600
// containers after two minutes, which ran for a day and were in no count. The tasks and the
// commands of an app, and of all apps, have a maximum; what is not started is recorded and told.
func TestRunsAreBounded(t *testing.T) {
	var tasks []string
	for i := range 60 {
		tasks = append(tasks, fmt.Sprintf(`{"command": "sleep %d", "schedule": "* * * * *"}`, 90_000+i))
	}
	m := newCronMachine(t, `{"cron": [`+strings.Join(tasks, ",")+`]}`)
	set := func(name, value string) {
		t.Helper()
		check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error { cli.Put(&s.PS, name, value); return nil }))
	}
	command := func() error {
		_, err := oneoff.RunDetached(t.Context(), m.server, "shop", oneoff.OneOff{Words: []string{"stay"}}, event.Log{})
		return err
	}
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		stop := m.agent()
		pass(2*time.Minute + 2*time.Second)
		if n := len(m.containers()); n != 50 {
			t.Errorf("%d tasks run", n)
		}
		const full = "shop runs 50 commands and cron tasks at the same time, and no more than 50 may; wait until one ends, or: dokku ps:set shop max-runs NUMBER"
		skipped := 0
		for _, text := range m.history() {
			if strings.HasSuffix(text, ": not started: "+full) {
				skipped++
			}
		}
		if events := m.eventTexts(t, journal.Cron); skipped != 70 || len(events) != 70 || !strings.HasSuffix(events[0], ": not started: "+full) {
			t.Errorf("%d are recorded, %d told: %q", skipped, len(events), events[:min(1, len(events))])
		}
		if err := command(); err == nil || err.Error() != full {
			t.Errorf("a command: %v", err)
		}
		set(app.PropMaxRuns, "60")
		set(app.PropServerRuns, "51")
		check(t, command())
		const server = "the apps of this server run 51 commands and cron tasks at the same time, and no more than 51 may; wait until one ends, or: dokku ps:set --global server-max-runs NUMBER"
		if err := command(); err == nil || err.Error() != server {
			t.Errorf("one more command: %v", err)
		}
		stop()
		// The next agent counts what goes on.
		set(app.PropServerRuns, "54")
		stop = m.agent()
		pass(2 * time.Minute)
		if n := len(m.containers()); n != 53 {
			t.Errorf("%d tasks run beside a command", n)
		}
		stop()
	})
}
