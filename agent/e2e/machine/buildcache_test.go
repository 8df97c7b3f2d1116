package machine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/watch"
)

// TestBuildCacheIsPruned: the agent keeps the engine's build cache within the setting
// cache-size, soon after a build and every hour, but not while an app may be built.
func TestBuildCacheIsPruned(t *testing.T) {
	const mega = 1 << 20
	m := newMachine(t, newHistory(t))
	set := func(value string) {
		t.Helper()
		check(t, m.server.Env.Store.UpdateSettings(context.Background(), func(s *app.Settings) error {
			s.Build = map[string]string{app.PropCacheSize: value}
			return nil
		}))
	}
	built := func() {
		check(t, os.WriteFile(m.server.Env.Store.Manifest("shop"), []byte(time.Now().String()), 0o600))
	}
	set("200m")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		var printed bytes.Buffer
		term := event.NewTerminal(&printed, &printed, false)
		has := func(want int64, when string) {
			t.Helper()
			if got, err := m.engine.BuildCache(ctx); got != want<<20 || err != nil {
				t.Errorf("%s: the build cache has %d MiB, %v, want %d", when, got/mega, err, want)
			}
		}
		m.engine.SetBuildCache(300 * mega)
		go func() { ended <- watch.Run(ctx, m.server, event.New(term)) }()
		pass(time.Minute + time.Second)
		has(200, "after the agent's start")

		m.engine.SetBuildCache(500 * mega)
		pass(10 * time.Minute)
		has(500, "without a build")
		pass(50 * time.Minute)
		has(200, "an hour later")

		m.engine.SetBuildCache(500 * mega)
		l, ok, err := m.server.Env.Store.TryLock("shop", "a push")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		built()
		pass(50 * time.Minute)
		has(500, "during a build")
		l.Release()
		pass(2 * time.Minute)
		has(200, "after a build")

		m.engine.SetBuildCache(500 * mega)
		if l, ok, err = m.server.Env.Store.TryLock("shop", "a push"); err != nil || !ok {
			t.Fatal(ok, err)
		}
		built()
		pass(62 * time.Minute)
		has(200, "while builds never end")
		l.Release()

		m.engine.SetBuildCache(500 * mega)
		m.engine.Fail(func(call string, _ ...any) error {
			if call == "PruneBuildCache" {
				return errors.New("the engine is busy")
			}
			return nil
		})
		pass(62 * time.Minute)
		m.engine.Fail(nil)
		has(500, "after a failure")
		set("none")
		pass(62 * time.Minute)
		has(500, "without a bound")
		set("1g")
		pass(62 * time.Minute)
		has(500, "within a bound")

		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		term.Close()
		text := printed.String()
		if n := strings.Count(text, "-----> Removed 315 MB of the engine's build cache, which may have 210 MB (builder:set --global cache-size)\n"); n != 3 {
			t.Errorf("it was pruned %d times by 315 MB:\n%s", n, text)
		}
		if n := strings.Count(text, " !     the engine is busy\n"); n != 1 {
			t.Errorf("the failure is told %d times:\n%s", n, text)
		}
	})
}
