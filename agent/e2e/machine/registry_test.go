package machine

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// pushesImages makes the app push its images to a registry.
func (m *machine) pushesImages() error {
	return m.server.Update(context.Background(), "shop", deploy.Op{Name: "registry:set"}, event.Log{}, func(st *app.State) error {
		st.Registry = map[string]string{app.PropRegistry: "registry.test", app.PropPushOnRelease: "true"}
		return nil
	})
}

// calls records the calls of the engine's methods of these names, until the test's end.
func (m *machine) calls(names ...string) *[]string {
	var list []string
	var mu sync.Mutex // processes start at the same time
	m.engine.Fail(func(call string, args ...any) error {
		if slices.Contains(names, call) {
			if len(args) > 0 {
				if s, ok := args[0].(engine.Spec); ok {
					call += " " + s.Type
				}
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, call)
		}
		return nil
	})
	return &list
}

// TestImageIsPushed: the image of a release goes to the registry with what predeploy has
// changed, before the release command runs; the release knows it by its digest.
func TestImageIsPushed(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	check(t, m.pushesImages())
	calls := m.calls("Login", "Commit", "Push", "Start")
	check(t, m.push(h.one, h.two))
	a, err := m.server.Env.Store.Load("shop")
	check(t, err)
	r := a.Current
	if want := "registry.test/dokku/shop@" + r.Image; r.Remote != want || r.RemoteTag != r.Number || m.engine.Pushed()[want] != r.Image {
		t.Errorf("release %d is %q (%d), pushed %v, its image is %s", r.Number, r.Remote, r.RemoteTag, m.engine.Pushed(), r.Image)
	}
	if got := strings.Join(*calls, ", "); !strings.HasPrefix(got, "Login, Commit, Push, Start release, Start ") {
		t.Errorf("the order is %s", got)
	}

	// What makes a release of the same image pushes nothing, and knows where it is.
	*calls = nil
	check(t, m.server.Restart(context.Background(), "shop", event.Log{}))
	a, err = m.server.Env.Store.Load("shop")
	check(t, err)
	if a.Current.Number == r.Number || a.Current.Remote != r.Remote || a.Current.RemoteTag != r.RemoteTag || slices.Contains(*calls, "Push") {
		t.Errorf("after a restart: release %d is %q (%d); %v", a.Current.Number, a.Current.Remote, a.Current.RemoteTag, *calls)
	}
}

// TestExtraTags: the extra tags move to a release once it serves, and not for one whose checks
// fail. With the registry down afterwards, the push stands, and the agent tags later.
func TestExtraTags(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	check(t, m.pushesImages())
	check(t, m.server.Update(t.Context(), "shop", deploy.Op{Name: "registry:set"}, event.Log{}, func(st *app.State) error {
		st.Registry[app.PropExtraTags] = "v1,latest"
		return nil
	}))
	tagged := func(what string, want *app.Release) {
		t.Helper()
		for _, name := range []string{"registry.test/dokku/shop:v1", "registry.test/dokku/shop:latest"} {
			id := ""
			if want != nil {
				id = want.Image
			}
			if got := m.engine.Pushed()[name]; got != id {
				t.Errorf("%s: %s is %q, want %q", what, name, got, id)
			}
		}
	}
	check(t, m.pushBroken(t.Context(), h.one, h.two, "web"))
	tagged("a rejected push", nil)
	calls := m.calls("Push", "Start")
	check(t, m.push(h.one, h.two))
	first := m.load("shop").Current
	tagged("a push", first)
	if got := strings.Join(*calls, ", "); !strings.HasPrefix(got, "Push, Start release, Start w") || !strings.HasSuffix(got, ", Push, Push, Start postdeploy") {
		t.Errorf("the order is %s", got)
	}
	*calls = nil
	check(t, m.server.Reconcile(t.Context(), "shop", event.Log{}))
	if len(*calls) > 0 {
		t.Errorf("it tags again: %v", *calls)
	}

	// Down after the image was pushed: the version serves, under the old tags.
	m.engine.Fail(func(call string, args ...any) error {
		if call == "Push" && len(args) > 1 && strings.HasSuffix(args[1].(string), ":v1") {
			return errors.New("it is down")
		}
		return nil
	})
	check(t, m.push(h.two, h.one))
	tagged("a registry that goes down", first)
	m.engine.Fail(nil)
	check(t, m.server.Reconcile(t.Context(), "shop", event.Log{}))
	tagged("a later reconcile", m.load("shop").Current)
	check(t, m.server.Rollback(t.Context(), "shop", 0, false, event.Log{}))
	tagged("a rollback", m.load("shop").Current)
}

// TestNoRegistryIsNoWork: an app without a registry asks none.
func TestNoRegistryIsNoWork(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.engine.RegistryDown(errors.New("it is down"))
	calls := m.calls("Login", "Push")
	check(t, m.push(h.one, h.two))
	if len(*calls) > 0 {
		t.Errorf("it calls %v", *calls)
	}
}

// TestRegistryIsDown: a registry that is down, or that goes down during the build, makes a
// push fail before anything has changed: no release command runs, and no process starts.
func TestRegistryIsDown(t *testing.T) {
	h := newHistory(t)
	down := errors.New("dial tcp 10.0.0.1:443: connect: connection refused")
	for _, at := range []string{"Login", "Push"} {
		t.Run(at, func(t *testing.T) {
			m := newMachine(t, h)
			check(t, m.pushesImages())
			files := m.files()
			before, _ := m.engine.Observe(context.Background(), "shop")
			var calls []string
			var mu sync.Mutex // processes start at the same time
			m.engine.Fail(func(call string, args ...any) error {
				mu.Lock()
				defer mu.Unlock()
				if call == at {
					m.engine.RegistryDown(down)
				}
				if len(args) > 0 {
					if s, ok := args[0].(engine.Spec); ok && s.Type != "predeploy" {
						calls = append(calls, call+" "+s.Type)
					}
				}
				if call == "Image" && at == "Login" {
					calls = append(calls, "a build")
				}
				return nil
			})
			err := m.push(h.one, h.two)
			if err == nil {
				t.Fatal("it is accepted")
			}
			for _, part := range []string{"cannot push the image to a registry: ", down.Error(), "dokku registry:login shop registry.test USER PASSWORD",
				"dokku registry:set shop push-on-release false"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if len(calls) > 0 {
				t.Errorf("before the registry was missed: %v", calls)
			}
			after, _ := m.engine.Observe(context.Background(), "shop")
			if now := m.files(); !maps.Equal(now, files) {
				t.Error("it changes files")
			}
			if !slices.EqualFunc(after.Images, before.Images, func(a, b engine.Image) bool { return a.ID == b.ID }) || len(after.Instances) != len(before.Instances) {
				t.Errorf("it leaves %+v", after)
			}
		})
	}
}

// pushUnregistered pushes a version whose image has to go to a registry that is down. It is
// done when the push is rejected and the setting is taken back.
func (m *machine) pushUnregistered(ctx context.Context, h history) error {
	m.engine.RegistryDown(errors.New("it is down"))
	defer m.engine.RegistryDown(nil)
	set := func(registry map[string]string) error {
		return m.server.Update(ctx, "shop", deploy.Op{Name: "registry:set"}, event.Log{}, func(st *app.State) error {
			st.Registry = registry
			return nil
		})
	}
	if err := set(map[string]string{app.PropPushOnRelease: "true"}); err != nil {
		return err
	}
	if err := m.pushTo(ctx, "shop", h.one, h.two, event.Log{}); err == nil {
		return errors.New("it is accepted")
	}
	return set(nil)
}

// TestServedRegistryIsDown: whoever pushes to the server's own registry learns how to start it.
func TestServedRegistryIsDown(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	check(t, m.pushesImages())
	served := m.server.Env.Store.ServedRegistry()
	check(t, os.MkdirAll(filepath.Dir(served), 0o700))
	check(t, os.WriteFile(served, []byte("{}"), 0o600))
	m.engine.RegistryDown(errors.New("connection refused"))
	const want = "connection refused\nIf it is this server's own, this starts it again, on the server: sudo dokku registry:serve\nIf it asks for a login: "
	if err := m.push(h.one, h.two); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
}
