package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/store"
)

// exclusive returns an error if two workers have ever run at the same time, in an app whose
// setting forbids that.
func (m *machine) exclusive(a *app.App) error {
	if a.State.PS[app.PropRollover] != "worker=exclusive" {
		return nil
	}
	return m.oneWorker()
}

// oneWorker returns an error if two workers have ever run at the same time, or none has.
func (m *machine) oneWorker() error {
	if n := m.engine.Together("shop", "worker"); n != 1 {
		return fmt.Errorf("%d workers have run at the same time", n)
	}
	return nil
}

// newExclusive returns a history whose third revision, on top of two, says in app.json that
// workers are exclusive. The revisions before it do not.
func newExclusive(t *testing.T) (h history, three string) {
	t.Helper()
	h = newHistory(t)
	if err := os.WriteFile(filepath.Join(h.dir, "app.json"), []byte(`{"formation": {"worker": {"rollover": "exclusive"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qam", "x")
	three = git(t, h.dir, "rev-parse", "HEAD")
	h.pack = newPack(t, h, three)
	return h, three
}

// workers lists the running workers with their releases: "worker.1 v2".
func (m *machine) workers() (list []string) {
	o, err := m.engine.Observe(context.Background(), "shop")
	m.must(err)
	for _, i := range o.Instances {
		if i.Type == "worker" && i.Running() {
			list = append(list, fmt.Sprintf("worker.%d v%d", i.Index, i.Release))
		}
	}
	return list
}

// workersAre fails the test unless these workers run, and never two at the same time.
func (m *machine) workersAre(want ...string) {
	m.t.Helper()
	if got := m.workers(); !slices.Equal(got, want) {
		m.t.Errorf("running: %v, want %v", got, want)
	}
	if err := m.oneWorker(); err != nil {
		m.t.Error(err)
	}
}

// printed returns what a push prints.
func (m *machine) printed(old, new string) (string, error) {
	var out strings.Builder
	term := event.NewTerminal(&out, &out, false)
	err := m.pushLogged(old, new, event.New(term))
	term.Close()
	return out.String(), err
}

// killedAtStop loses power when a command is about to stop a container.
func (m *machine) killedAtStop(command func() error) {
	m.t.Helper()
	dead := false
	m.visit = func(name string) error {
		if dead = dead || name == "Stop"; dead {
			return errDead
		}
		return nil
	}
	if err := command(); !errors.Is(err, errDead) {
		m.t.Errorf("it was not killed: %v", err)
	}
	m.visit = nil
	m.turnOn()
}

// TestExclusive: the processes of an exclusive type never run side by side, whatever
// replaces them. Meanwhile the agent looks at the app before each container starts or ends,
// and stops what it has to without the app's lock.
func TestExclusive(t *testing.T) {
	h, three := newExclusive(t)
	m := newMachine(t, h)
	agent, ok, err := m.server.Env.Store.TryLock(store.AgentLock, "the agent")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer agent.Release()
	ctx, none := t.Context(), event.Log{}
	looking, looks := false, 0
	look := func(name string) error {
		m.mu.Lock()
		first := !looking && (name == "Start" || name == "Stop" || name == "Remove")
		looking = looking || first
		m.mu.Unlock()
		if !first {
			return nil
		}
		_, done, err := m.server.TryReconcile(ctx, "shop", false, none)
		m.mu.Lock()
		looking = false
		looks++
		m.mu.Unlock()
		if done || err != nil {
			return errors.Join(errors.New("the agent has found the app unlocked"), err)
		}
		return nil
	}

	m.visit = look
	out, err := m.printed(h.one, three)
	m.must(err)
	rest := out
	for _, want := range []string{"-----> Starting web.1 web.2\n", "All checks successful!", "-----> Stopping worker.1 first: the rollover is exclusive\n",
		"-----> Starting worker.1\n", "worker.1 up for"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is missing, or not in its place:\n%s", want, out)
		}
		rest = after
	}
	m.workersAre("worker.1 v2")
	m.must(m.server.SetConfig(ctx, "shop", map[string]string{"A": "1"}, nil, true, none))
	m.workersAre("worker.1 v3")
	m.must(m.server.Restart(ctx, "shop", none))
	m.must(m.server.RestartType(ctx, "shop", "web", none))
	m.workersAre("worker.1 v4")
	m.must(m.server.Rebuild(ctx, "shop", none))
	m.workersAre("worker.1 v6")
	m.visit = nil
	m.settle()
	m.killedAtStop(func() error { return m.server.Scale(ctx, "shop", map[string]int{"worker": 0}, false, none) })
	m.workersAre("worker.1 v6") // the agent has yet to stop it
	m.must(m.server.Scale(ctx, "shop", map[string]int{"worker": 1}, false, none))
	m.workersAre("worker.1 v6")
	m.visit = look
	// v1 does not say that workers are exclusive; v6, which still serves, does.
	m.must(m.server.Rollback(ctx, "shop", 1, true, none))
	m.workersAre("worker.1 v7")
	m.visit = nil
	m.settle()
	m.workersAre("worker.1 v7")
	if looks < 25 {
		t.Errorf("the agent has looked %d times", looks)
	}
}

// TestExclusiveRejected: when the new process fails, or the deploy is cancelled, the old
// one runs again, and nothing else has changed.
func TestExclusiveRejected(t *testing.T) {
	h, three := newExclusive(t)
	for _, agent := range []bool{false, true} {
		m := newMachine(t, h)
		if agent {
			l, ok, err := m.server.Env.Store.TryLock(store.AgentLock, "the agent")
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			defer l.Release()
		}
		files := m.files()
		m.engine.Behave(func(s engine.Spec) memory.Behaviour {
			if s.Release > 1 && s.Type == "worker" {
				return memory.Behaviour{Exits: true, Code: 3}
			}
			return behaviour(s)
		})
		out, err := m.printed(h.one, three)
		if err == nil || !strings.Contains(out, "worker.1 exited with code 3") || !strings.Contains(out, "-----> Starting worker.1 of v1 again\n") {
			t.Errorf("%v:\n%s", err, out)
		}
		m.workersAre("worker.1 v1")
		m.engine.Behave(behaviour)
		err = m.server.SetConfig(t.Context(), "shop", map[string]string{"A": "1"}, nil, false, event.Log{})
		m.must(errors.Join(err, m.server.SetConfig(t.Context(), "shop", nil, []string{"A"}, false, event.Log{})))

		ctx, cancel := context.WithCancel(t.Context())
		m.visit = func(name string) error {
			if name == "Start" && len(m.workers()) == 0 { // the successor of worker.1 is about to start
				cancel()
			}
			return nil
		}
		if err := m.pushTo(ctx, "shop", h.one, three, event.Log{}); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled push: %v", err)
		}
		m.visit = nil
		m.workersAre("worker.1 v1")
		m.settle()
		m.workersAre("worker.1 v1")
		m.must(m.atRest())
		for path, content := range m.files() {
			if files[path] != content {
				t.Errorf("%s has changed:\n%s\nit was\n%s", path, content, files[path])
			}
		}
	}
}

// TestExclusiveKilled kills the first push that says that workers are exclusive, before
// each change from the end of the old worker on. The release that serves does not say so,
// and the agent that recovers knows nothing else.
func TestExclusiveKilled(t *testing.T) {
	h, three := newExclusive(t)
	whole := newMachine(t, h)
	whole.must(whole.push(h.one, three))
	first := slices.Index(whole.names, "Stop")
	if first < 0 || whole.count-first < 15 {
		t.Fatalf("only these changes were counted: %v", whole.names)
	}
	for k := first; k <= whole.count; k++ {
		m := newMachine(t, h)
		m.kill = k
		m.push(h.one, three)
		m.turnOn()
		m.settle()
		if err := errors.Join(m.atRest(), m.oneWorker(), m.serving()); err != nil {
			t.Errorf("killed before change %d (%s): %v", k, m.names[len(m.names)-1], err)
		}
	}
}
