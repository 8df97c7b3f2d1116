package machine

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/store"
	"dokku/build/source"
)

// byBea is who cancels in these tests.
var byBea = app.Cancel{By: "bea", Command: "dokku deploys:cancel"}

// lastDeploy returns the record of the app's last deploy, as it is now.
func (m *machine) lastDeploy() *app.Deploy {
	m.t.Helper()
	list, err := m.server.Env.Deploys("shop")
	m.must(err)
	return list[len(list)-1]
}

// pause holds the next operation at a change for ten seconds of the bubble, and runs f
// meanwhile. wait returns what f returned.
func (m *machine) pause(at string, f func() error) (wait func() error) {
	result := make(chan error, 1)
	var paused atomic.Bool // a sync.Once would block parallel calls, and so the bubble's clock
	m.visit = func(name string) error {
		if name == at && !paused.Swap(true) {
			go func() { result <- f() }()
			time.Sleep(10 * time.Second)
		}
		return nil
	}
	return func() error { return <-result }
}

// TestDeployCancelled: each kind of deploy can be cancelled at each of its parts. It leaves
// nothing, and its log, its record and its pusher say who did it.
func TestDeployCancelled(t *testing.T) {
	h := newHistory(t)
	deploys := map[string]func(*machine, event.Log) error{
		"push":       func(m *machine, log event.Log) error { return m.pushLogged(h.one, h.two, log) },
		"ps:rebuild": func(m *machine, log event.Log) error { return m.server.Rebuild(context.Background(), "shop", log) },
		"releases:rollback": func(m *machine, log event.Log) error {
			return m.server.Rollback(context.Background(), "shop", 1, true, log)
		},
	}
	for _, test := range []struct{ cause, at string }{
		{"push", "build"}, {"push", "Tag"}, {"push", "Start"}, {"ps:rebuild", "build"}, {"ps:rebuild", "Start"}, {"releases:rollback", "Start"},
	} {
		t.Run(test.cause+" at "+test.at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, h)
				m.server.Env.By = "ann"
				if test.cause == "releases:rollback" {
					m.must(m.push(h.one, h.two))
					m.settle()
				}
				before, serves := m.files(), m.current()
				var d *app.Deploy
				wait := m.pause(test.at, func() (err error) {
					d, err = m.server.Env.Cancel(context.Background(), "shop", 0, byBea, event.Log{})
					return err
				})
				err := deploys[test.cause](m, event.Log{})
				want := "this " + test.cause + " was cancelled by bea: dokku deploys:cancel"
				if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "Nothing has changed: v") {
					t.Errorf("%v, want %s", err, want)
				}
				m.must(wait())
				if d.State != app.DeployCancelled || d.Error != want || d.Cause != test.cause || d.By != "ann" || d.Release != 0 || d.Ended.IsZero() {
					t.Errorf("the record: %+v", d)
				}
				if log := m.deployLog(d.Number); !strings.Contains(log, want) {
					t.Errorf("the log:\n%s", log)
				}
				m.visit = nil
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

// TestCancelTold: wherever a push is cancelled, its pusher reads that the app has not changed,
// and which commands have run nevertheless, or begun to.
func TestCancelTold(t *testing.T) {
	h := newHistory(t)
	const cancelled, ran = "this push was cancelled by bea: dokku deploys:cancel\nNothing has changed: v1 (", "The predeploy command has already run: "
	for _, test := range []struct {
		at    string // the type of the process at whose start it is cancelled
		want  []string
		lacks string
	}{
		{"predeploy", []string{cancelled, "The predeploy command was interrupted: what it has changed until then, for example in a database, remains"}, "has already run"},
		{"release", []string{cancelled, ran, "The release command was interrupted: "}, "release command has"},
		{"web", []string{cancelled, ran, "The release command has already run: "}, "interrupted"},
	} {
		t.Run(test.at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, h)
				m.engine.Behave(func(s engine.Spec) memory.Behaviour {
					if s.Type != test.at || s.Release == 1 {
						return behaviour(s)
					}
					m.must(m.server.Env.Store.AskCancel("shop", 2, byBea))
					return memory.Behaviour{} // it runs, and web does not listen
				})
				m.server.Env.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, context.Cause(ctx) }
				err := m.push(h.one, h.two)
				m.server.Env.Dial = dialNothing
				for _, want := range test.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("it lacks %q:\n%v", want, err)
					}
				}
				if err != nil && (strings.Contains(err.Error(), test.lacks) || strings.Count(err.Error(), "Nothing has changed") != 1) {
					t.Errorf("%v", err)
				}
				m.engine.Behave(behaviour)
				m.settle()
				m.must(m.atRest())
			})
		})
	}
}

// wantFiles fails the test unless the app's files are those of before.
func (m *machine) wantFiles(before map[string]string) {
	m.t.Helper()
	after := m.files()
	for path := range app.Merged(before, after) {
		if before[path] != after[path] {
			m.t.Errorf("%s has changed:\n%s", path, after[path])
		}
	}
}

// deployLog returns the log of a deploy.
func (m *machine) deployLog(n int) string {
	m.t.Helper()
	data, err := os.ReadFile(m.server.Env.Store.DeployLog("shop", n))
	m.must(err)
	return string(data)
}

// TestCancelTooLate: a deploy that git decides about, or that is already current, is not
// cancelled, and the command says so.
func TestCancelTooLate(t *testing.T) {
	h := newHistory(t)
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, h)
		ctx := t.Context()
		cancel := func() error {
			_, err := m.server.Env.Cancel(ctx, "shop", 0, byBea, event.Log{})
			return err
		}
		wantError(t, cancel(), "No deploy of shop is under way")

		wait := m.pause("move the ref", cancel)
		m.server.Env.Owner = proc.This
		m.must(m.push(h.one, h.two))
		wantError(t, wait(), "Deploy 2 of shop cannot be cancelled any more: to go back once it is deployed: dokku releases:rollback shop")
		if d := m.lastDeploy(); d.State != app.DeployDone || d.Release != 2 {
			t.Errorf("the record: %+v", d)
		}

		// The state with the release is saved before the old processes are stopped.
		wait = m.pause("Stop", cancel)
		m.must(m.server.Rebuild(ctx, "shop", event.Log{}))
		wantError(t, wait(), "Deploy 3 of shop cannot be cancelled any more: v3 is deployed; to go back: dokku releases:rollback shop")

		wait = m.pause("Start", cancel)
		m.must(m.server.Restart(ctx, "shop", event.Log{}))
		if err := wait(); err == nil || !strings.HasPrefix(err.Error(), "No deploy of shop is under way, but it is busy with ps:restart, process ") {
			t.Errorf("beside ps:restart: %v", err)
		}
		if left, _ := m.server.Env.Store.CancelAsked("shop", 3); left.By != "" {
			t.Error("a request is left")
		}
	})
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestSecondPush: by default a push waits, and says for whom; with no-wait it fails, and
// with cancel it takes the other one's place.
func TestSecondPush(t *testing.T) {
	h := newHistory(t)
	second := func(m *machine, o deploy.PushOptions) (string, error) {
		var out strings.Builder
		term := event.NewTerminal(&out, &out, false)
		err := m.pushWith(context.Background(), "shop", h.one, h.two, o, event.New(term))
		term.Close()
		return out.String(), err
	}
	busy := "ann's push of " + h.two[:7] + " (deploy 2) is under way for "
	for name, test := range map[string]struct {
		options deploy.PushOptions
		prints  string
		err     string
		first   string // the first push's error; "": it deploys
	}{
		"waits": {prints: "-----> Waiting for shop: " + busy + "1s; to cancel it: dokku deploys:cancel shop\n",
			err: "main is at " + h.two[:7] + " already: another push of it was accepted while this one waited"},
		"no-wait": {options: deploy.PushOptions{NoWait: true}, err: "shop is busy: " + busy + "0s, and this push does not wait (-o no-wait)\n" +
			"Push again later, or without no-wait to wait for it, or with -o cancel to take its place"},
		"cancel": {options: deploy.PushOptions{Cancel: true}, prints: "-----> Cancelling ann's push of " + h.two[:7] + " (deploy 2)\n",
			first: "this push was cancelled by ann: git push -o cancel"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, h)
				m.server.Env.By = "ann"
				var out string
				wait := m.pause("build", func() (err error) { out, err = second(m, test.options); return err })
				err := m.push(h.one, h.two)
				if test.first == "" {
					m.must(err)
				} else if err == nil || !strings.HasPrefix(err.Error(), test.first) {
					t.Errorf("the first push: %v", err)
				}
				if err := wait(); test.err == "" {
					m.must(err)
				} else {
					wantError(t, err, test.err)
				}
				if !strings.Contains(out, test.prints) {
					t.Errorf("it prints:\n%s", out)
				}
				m.settle()
				m.must(m.atRest())
				if r := m.current(); r.Revision != h.two || r.Number != 2 {
					t.Errorf("v%d serves %s", r.Number, r.Short())
				}
			})
		})
	}
}

// TestNoWaitBesideCommand: no-wait also does not wait for other commands, but for the short
// looks of the agent, and not for a place to build.
func TestNoWaitBesideCommand(t *testing.T) {
	h := newHistory(t)
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, h)
		push := func() error {
			return m.pushWith(t.Context(), "shop", h.one, h.two, deploy.PushOptions{NoWait: true}, event.Log{})
		}
		st := m.server.Env.Store
		l, _, err := st.TryLock("shop", "ps:restart")
		m.must(err)
		var busy *store.BusyError
		if err := push(); !errors.As(err, &busy) || busy.Cancellable || !strings.HasPrefix(busy.With, "ps:restart, process ") || strings.Contains(err.Error(), "-o cancel") {
			t.Errorf("beside ps:restart: %v", err)
		}
		go func() { time.Sleep(store.ShortWait / 2); l.Release() }()
		m.must(m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
			set.Build = map[string]string{app.PropMaxBuilds: "1"}
			return nil
		}))
		place, err := st.LockBuild(t.Context(), "blog", 1, false, event.Log{})
		m.must(err)
		if err := push(); err == nil || !strings.Contains(err.Error(), "cannot build shop now: 1 at once is the limit, and this server builds blog, process ") {
			t.Errorf("without a place: %v", err)
		}
		place.Release()
		m.must(push())
	})
}

// TestCancelSparesDeploy: a push that deploys nothing cancels nothing.
func TestCancelSparesDeploy(t *testing.T) {
	h := newHistory(t)
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, h)
		wait := m.pause("build", func() error {
			return m.server.Prepare(context.Background(), deploy.Push{App: "shop", Refs: []deploy.Ref{{Old: deploy.ZeroID, New: h.two, Name: "refs/heads/topic"}},
				Objects: source.Options{GitDir: m.server.Env.Store.Dir("shop")}, Options: deploy.PushOptions{Cancel: true}}, event.Log{})
		})
		m.must(m.push(h.one, h.two))
		m.must(wait())
	})
}

// TestInterruptedDeploy: the record of a deploy whose process was killed says so, unless the
// release is current: then it was deployed.
func TestInterruptedDeploy(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	st := m.server.Env.Store
	m.must(m.push(h.one, h.two))
	killed := func() {
		d, err := st.Deploy("shop", 2)
		m.must(err)
		d.State, d.Release, d.Owner, d.Ended = app.DeployRunning, 0, proc.Owner{Boot: "before the last reboot"}, time.Time{}
		m.must(st.SaveDeploy("shop", d))
	}
	killed()
	if d := m.lastDeploy(); d.State != app.DeployDone || d.Release != 2 {
		t.Errorf("killed after its release became current: %+v", d)
	}
	r := *m.current()
	r.Deploy = 0
	m.must(st.SaveRelease("shop", &r))
	gone := r.Summary()
	gone.Number, gone.Deploy = 1, 2
	m.must(st.SavePast("shop", gone))
	if d := m.lastDeploy(); d.State != app.DeployDone || d.Release != 1 {
		t.Errorf("killed after its release became current, which is not kept any more: %+v", d)
	}
	gone.Deploy = 0
	m.must(st.SavePast("shop", gone))
	if d := m.lastDeploy(); d.State != app.DeployInterrupted || d.Release != 0 {
		t.Errorf("killed before: %+v", d)
	}
	wantError(t, errOf(m.server.Env.Cancel(t.Context(), "shop", 0, byBea, event.Log{})), "No deploy of shop is under way")
	m.must(m.server.Rebuild(t.Context(), "shop", event.Log{}))
	if list, err := m.server.Env.Deploys("shop"); err != nil || len(list) != 3 || list[1].State != app.DeployInterrupted {
		t.Errorf("later: %+v, %v", list, err)
	}
}

// TestUnacceptedDeploy: a deploy that git did not accept after all was interrupted.
func TestUnacceptedDeploy(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	p := deploy.Push{App: "shop", Refs: []deploy.Ref{{Old: h.one, New: h.two, Name: "refs/heads/main"}},
		Objects: source.Options{GitDir: m.server.Env.Store.Dir("shop")}}
	m.must(m.server.Prepare(t.Context(), p, event.Log{}))
	if d := m.lastDeploy(); d.State != app.DeployRunning || !d.Staged || d.Release != 2 {
		t.Errorf("while git decides: %+v", d)
	}
	m.settle() // that git is dead, and the ref is where it was
	if d := m.lastDeploy(); d.State != app.DeployInterrupted || d.Error != "git was killed, or did not accept it" || d.Ended.IsZero() {
		t.Errorf("later: %+v", d)
	}
	m.must(m.atRest())
}

func errOf(_ *app.Deploy, err error) error { return err }
