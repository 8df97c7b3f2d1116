package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/build"
)

const keptText = "Nothing has changed: fresh has not been deployed yet\n" +
	"fresh is kept: fix the cause and push again, or first set what it lacks, for example: dokku config:set fresh NAME=VALUE\n" +
	"To remove it: dokku apps:destroy fresh. It goes after 7 days if nothing is set or deployed"

// first makes the push that creates the app, as the hooks' wrapper does.
func (f *fresh) first(files map[string]string) (string, error) {
	f.m.t.Helper()
	out, err := f.push(files)
	if _, derr := f.m.server.DropProvisional(context.Background(), "fresh", event.Log{}); derr != nil && f.m.powered() == nil {
		f.m.t.Fatal(derr)
	}
	return out, err
}

// gone reports whether the app does not exist.
func (f *fresh) gone() bool {
	_, err := f.m.server.Env.Store.Load("fresh")
	var none *app.NoAppError
	return errors.As(err, &none)
}

// bareApp fails the test unless the app is there, never deployed and without resources.
func (f *fresh) bareApp() {
	t := f.m.t
	t.Helper()
	st := f.app().State
	if st.Provisional || st.Kept.IsZero() || st.Current != 0 || st.Staged != nil || len(st.Config) > 0 {
		t.Errorf("the state is %+v", st)
	}
	if logs := f.m.server.Env.Store.DeployLogs("fresh"); len(logs) != 1 {
		t.Errorf("the logs are %v", logs)
	}
	o, err := f.m.engine.Observe(context.Background(), "fresh")
	if err != nil || len(o.Instances)+len(o.Networks)+len(o.Images) > 0 {
		t.Errorf("left are %+v (%v)", o, err)
	}
	if _, live, err := f.m.proxy.Live(context.Background(), "fresh"); live || err != nil {
		t.Errorf("a route is left (%v)", err)
	}
	if numbers, err := f.m.server.Env.Store.ReleaseNumbers("fresh"); err != nil || len(numbers) > 0 {
		t.Errorf("the releases are %v, %v", numbers, err)
	}
}

// TestFailedFirstPush: a first push that fails behind the validation keeps the app and its
// log, and nothing else, and says how to go on.
func TestFailedFirstPush(t *testing.T) {
	for name, fails := range map[string]func(*fresh){
		"the build": func(f *fresh) {
			f.m.server.Env.Build = func(context.Context, build.Request) (build.Result, error) {
				return build.Result{}, errors.New("RUN make: exit code 2")
			}
		},
		"predeploy": func(f *fresh) {
			f.m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Type == "predeploy", Code: 3} })
		},
		"release": func(f *fresh) { f.fail = "migrate" },
		"web":     func(f *fresh) { f.fail = "serve" },
		"the proxy": func(f *fresh) {
			f.m.proxy.Fail(func(call, _ string) error {
				if call == "stage" {
					return errors.New("nginx is down")
				}
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFresh(t, true)
			works := f.m.server.Env.Build
			fails(f)
			_, err := f.first(with(`{"scripts": {"dokku": {"predeploy": "assets"}}}`))
			if err == nil || !strings.Contains(err.Error(), keptText) {
				t.Errorf("the push ends with %v", err)
			}
			f.bareApp()
			f.fail, f.m.server.Env.Build = "", works
			f.m.proxy.Fail(nil)
			f.m.engine.Behave(behaviour)
			f.pushed(nil)
			if st := f.app().State; !st.Kept.IsZero() || st.Current != 1 {
				t.Errorf("after a deploy the state is %+v", st)
			}
		})
	}
}

// TestRefusedFirstPush: a first push that is refused by the validation leaves nothing.
func TestRefusedFirstPush(t *testing.T) {
	f := newFresh(t, true)
	files := with("{}")
	files["DOKKU_SCALE"] = "web=many\n"
	_, err := f.first(files)
	if err == nil || strings.Contains(err.Error(), "is kept") {
		t.Errorf("the push ends with %v", err)
	}
	if !f.gone() {
		t.Errorf("the app is left: %+v", f.app().State)
	}
}

// TestRefusedSecondPush: an app that was kept stays when the next push is refused.
func TestRefusedSecondPush(t *testing.T) {
	f := newFresh(t, true)
	f.fail = "serve"
	if _, err := f.first(freshFiles); err == nil {
		t.Fatal("a failing web is accepted")
	}
	if _, err := f.first(map[string]string{"DOKKU_SCALE": "web=many\n"}); err == nil || !strings.Contains(err.Error(), keptText) {
		t.Errorf("the push ends with %v", err)
	}
	if f.gone() {
		t.Error("the app is gone")
	}
}

// TestCancelledFirstPush: a first push that its client ends, or whose process is killed,
// keeps the app as well.
func TestCancelledFirstPush(t *testing.T) {
	t.Run("cancelled", func(t *testing.T) {
		f := newFresh(t, true)
		ctx, cancel := context.WithCancel(t.Context())
		f.ctx = ctx
		f.m.engine.Behave(func(s engine.Spec) memory.Behaviour { cancel(); return behaviour(s) })
		out, err := f.first(freshFiles)
		if !errors.Is(err, context.Canceled) || !strings.Contains(out, "fresh is kept: ") {
			t.Errorf("the push ends with %v\n%s", err, out)
		}
		f.bareApp()
	})
	t.Run("killed", func(t *testing.T) {
		f := newFresh(t, true)
		f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
			f.m.mu.Lock()
			f.m.dead = true
			f.m.mu.Unlock()
			return behaviour(s)
		})
		if _, err := f.first(freshFiles); err == nil {
			t.Fatal("the push is accepted")
		}
		f.m.engine.Behave(behaviour)
		f.m.turnOn()
		for range 3 {
			if _, done, err := f.m.server.TryReconcile(t.Context(), "fresh", false, event.Log{}); !done || err != nil {
				t.Fatal(done, err)
			}
		}
		f.bareApp()
	})
}

// TestKeptForAWeek: the agent removes an app whose pushes all failed after a week, unless
// something was set. A failed push begins the week anew.
func TestKeptForAWeek(t *testing.T) {
	set := func(do func(*app.State)) func(*fresh) {
		return func(f *fresh) {
			change := func(st *app.State) error { do(st); return nil }
			if err := f.m.server.Update(context.Background(), "fresh", deploy.Op{Name: "a test"}, event.Log{}, change); err != nil {
				f.m.t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name  string
		do    func(*fresh)
		stays bool
	}{
		{"nothing", nil, false},
		{"a push that fails again", func(f *fresh) {
			if _, err := f.first(nil); err == nil {
				f.m.t.Fatal("a failing web is accepted")
			}
		}, false},
		{"config:set", func(f *fresh) { f.configure(map[string]string{"A": "1"}) }, true},
		{"config:set and config:unset", func(f *fresh) {
			f.configure(map[string]string{"A": "1"})
			if err := f.m.server.SetConfig(context.Background(), "fresh", nil, []string{"A"}, false, event.Log{}); err != nil {
				f.m.t.Fatal(err)
			}
		}, true},
		{"domains:add", set(func(st *app.State) { st.Domains = []string{"a.example.com"} }), true},
		{"domains:disable", set(func(st *app.State) { st.DomainsDisabled = true }), true},
		{"git:set", set(func(st *app.State) { st.DeployBranch = "live" }), true},
		{"ps:set", set(func(st *app.State) { st.PS = map[string]string{"stop-timeout-seconds": "5"} }), true},
		{"builder:set", set(func(st *app.State) { st.Build = map[string]string{"selected": "pack"} }), true},
		{"docker-options:add", set(func(st *app.State) { st.BuildOptions = []string{"--no-cache"} }), true},
		{"nginx:set", set(func(st *app.State) { st.Nginx = map[string]string{"client-max-body-size": "5m"} }), true},
		{"checks:set", set(func(st *app.State) { st.Checks = map[string]string{"wait": "5"} }), true},
		{"notify:add", set(func(st *app.State) { st.Hooks = []app.Hook{{ID: "h", URL: "https://hooks.example.com"}} }), true},
		{"events:off", set(func(st *app.State) { st.NoEvents = true }), true},
		{"storage:mount", set(func(st *app.State) { st.Mounts = []app.Mount{{Source: "/a", Target: "/b"}} }), true},
		{"ports:set", set(func(st *app.State) { st.Ports = []app.PortMap{{Scheme: "http", Host: 80, Container: 3000}} }), true},
		{"apps:lock", func(f *fresh) {
			if err := f.m.server.SetLocked(context.Background(), "fresh", true, event.Log{}); err != nil {
				f.m.t.Fatal(err)
			}
		}, true},
		{"proxy:disable", func(f *fresh) {
			if err := f.m.server.SetProxy(context.Background(), "fresh", false, event.Log{}); err != nil {
				f.m.t.Fatal(err)
			}
		}, true},
		{"ps:scale", func(f *fresh) {
			if err := f.m.server.Scale(context.Background(), "fresh", map[string]int{"web": 2}, false, event.Log{}); err != nil {
				f.m.t.Fatal(err)
			}
		}, true},
		{"a file for nginx", func(f *fresh) {
			put(f.m.t, filepath.Join(f.m.server.Env.Store.Dir("fresh"), "nginx.conf.d", "a.conf"), "gzip on;\n")
		}, true},
		{"another branch", func(f *fresh) {
			git(f.m.t, f.m.server.Env.Store.Dir("fresh"), "update-ref", "refs/heads/other", git(f.m.t, f.dir, "rev-parse", "HEAD"))
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFresh(t, true)
			synctest.Test(t, func(t *testing.T) {
				f.fail = "serve"
				if _, err := f.first(freshFiles); err == nil {
					t.Fatal("a failing web is accepted")
				}
				if test.do != nil {
					f.later(3 * 24 * time.Hour)
					test.do(f)
				}
				f.later(7*24*time.Hour - time.Minute)
				if f.gone() {
					t.Fatal("the app is gone before a week has passed")
				}
				f.later(2 * time.Minute)
				if stays := !f.gone(); stays != test.stays {
					t.Errorf("the app stays: %t", stays)
				}
			})
		})
	}
}

// TestCreatedAppStays: apps:create makes an app that no failed push turns into one that goes.
func TestCreatedAppStays(t *testing.T) {
	f := newFresh(t, false)
	synctest.Test(t, func(*testing.T) {
		f.fail = "serve"
		if _, err := f.first(freshFiles); err == nil || strings.Contains(err.Error(), "is kept") {
			t.Fatalf("the push ends with %v", err)
		}
		f.later(30 * 24 * time.Hour)
		if f.gone() {
			t.Error("the app is gone")
		}
	})
}

// TestKeptAppWithPush: the agent leaves an app alone while a push to it begins, whose git
// may not run yet.
func TestKeptAppWithPush(t *testing.T) {
	f := newFresh(t, true)
	synctest.Test(t, func(t *testing.T) {
		f.fail = "serve"
		if _, err := f.first(freshFiles); err == nil {
			t.Fatal("a failing web is accepted")
		}
		held, err := f.m.server.Env.Store.HoldPush(t.Context(), "fresh")
		if err != nil {
			t.Fatal(err)
		}
		f.later(8 * 24 * time.Hour)
		if f.gone() {
			t.Fatal("the app is removed below the push")
		}
		held.Release()
		f.later(time.Hour)
		if !f.gone() {
			t.Error("the app stays")
		}
	})
}

// later lets time pass, with looks of the agent at its end.
func (f *fresh) later(d time.Duration) {
	f.m.t.Helper()
	time.Sleep(d) // the bubble's
	for range 2 {
		if f.gone() {
			return
		}
		if _, done, err := f.m.server.TryReconcile(context.Background(), "fresh", false, event.Log{}); !done || err != nil {
			f.m.t.Fatal(done, err)
		}
	}
	if left, err := os.ReadDir(f.m.server.Env.Store.Own("trash")); len(left) > 0 {
		f.m.t.Errorf("in the trash are %v (%v)", left, err)
	}
}

// kept reports whether the app is one that a failed push made.
func (r *rig) kept() bool {
	app, _ := r.only()
	a, err := r.server.Env.Store.Load(app)
	return err == nil && !a.State.Kept.IsZero()
}
