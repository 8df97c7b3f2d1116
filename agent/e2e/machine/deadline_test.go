package machine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// hangs makes the processes of a type run for ever.
func (m *machine) hangs(typ string) {
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if s.Type == typ {
			return memory.Behaviour{}
		}
		return behaviour(s)
	})
}

// TestCommandsOfADeployEnd (P10): a release command that never ends kept the app locked for
// ever. It is ended after task-timeout, as predeploy is, and leaves nothing.
func TestCommandsOfADeployEnd(t *testing.T) {
	h := newHistory(t)
	for _, test := range []struct {
		typ, set string
		want     time.Duration
	}{{"release", "", 30 * time.Minute}, {"predeploy", "", 30 * time.Minute}, {"release", "90", 90 * time.Second}, {"predeploy", "2m", 2 * time.Minute}} {
		t.Run(test.typ+" "+test.set, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, h)
				if test.set != "" {
					m.must(m.server.Update(t.Context(), "shop", deploy.Op{Name: "builder:set"}, event.Log{}, func(st *app.State) error {
						st.Build = map[string]string{app.PropTaskTimeout: test.set}
						return nil
					}))
				}
				before, serves := m.files(), m.current()
				m.hangs(test.typ)
				begun := time.Now()
				err := m.push(h.one, h.two)
				if took := time.Since(begun).Round(time.Second); took < test.want || took > test.want+time.Minute {
					t.Errorf("it takes %s, want %s", took, test.want)
				}
				want := "the " + test.typ + " command took longer than " + test.want.String() + ", which is its limit, and was ended; make it quicker, " +
					"run it beside the deploy (dokku run:detached shop COMMAND), or: dokku builder:set shop task-timeout SECONDS\n"
				if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "\nNothing has changed: v1 (") ||
					!strings.Contains(err.Error(), "The "+test.typ+" command was interrupted: what it has changed until then, for example in a database, remains") {
					t.Errorf("%v, want %s", err, want)
				}
				m.engine.Behave(behaviour)
				m.settle()
				m.wantFiles(before)
				if r := m.current(); r.Number != serves.Number {
					t.Errorf("v%d serves, before v%d", r.Number, serves.Number)
				}
				m.must(m.atRest())
			})
		})
	}
}

// TestNothingWaitsInSilence (P10): who waits for a deploy that takes long reads for whom, and
// how to cancel it; --no-wait does not wait; and the cancelling itself never does.
func TestNothingWaitsInSilence(t *testing.T) {
	h := newHistory(t)
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, h)
		m.server.Env.By = "ann"
		m.hangs("release")
		pushed := make(chan error, 1)
		go func() { pushed <- m.push(h.one, h.two) }()
		time.Sleep(5 * time.Minute)
		busy := "ann's push of " + h.two[:7] + " (deploy 2) is under way for "
		log := event.Log{}
		operations := map[string]func(event.Log) error{
			"ps:stop":      func(log event.Log) error { return m.server.Stop(t.Context(), "shop", log) },
			"apps:destroy": func(log event.Log) error { return m.server.Destroy(t.Context(), "shop", log) },
			"config:set": func(log event.Log) error {
				return m.server.Update(t.Context(), "shop", deploy.Op{Name: "config:set"}, log, func(*app.State) error { return nil })
			},
		}
		m.server.Env.Store.NoWait = true
		for name, f := range operations {
			if err := f(log); err == nil || err.Error() != "shop is busy: "+busy+"5m0s, and this command does not wait (--no-wait)\n"+
				"Run it again later, or without --no-wait to wait for it, or cancel the deploy first: dokku deploys:cancel shop" {
				t.Errorf("%s --no-wait: %v", name, err)
			}
		}
		m.server.Env.Store.NoWait = false
		var out strings.Builder
		term := event.NewTerminal(&out, &out, false)
		waited := make(chan error, 1)
		go func() { waited <- operations["config:set"](event.New(term)) }()
		time.Sleep(time.Minute)
		begun := time.Now()
		if _, err := m.server.Env.Cancel(t.Context(), "shop", 0, byBea, log); err != nil || time.Since(begun) > 5*time.Second {
			t.Errorf("deploys:cancel takes %s: %v", time.Since(begun), err)
		}
		if err := <-pushed; err == nil || !strings.HasPrefix(err.Error(), "this push was cancelled by bea: dokku deploys:cancel\nNothing has changed: v1 (") {
			t.Errorf("the push: %v", err)
		}
		m.must(<-waited)
		term.Close()
		if want := "-----> Waiting for shop: " + busy + "5m1s; to cancel it: dokku deploys:cancel shop\n"; !strings.Contains(out.String(), want) {
			t.Errorf("config:set prints:\n%s", out.String())
		}
		m.engine.Behave(behaviour)
		m.settle()
		m.must(m.atRest())
	})
}
