package machine

import (
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// rollBack rolls the app back and returns what is printed.
func (m *machine) rollBack(n int, keepConfig bool) (string, error) {
	var out strings.Builder
	term := event.NewTerminal(&out, &out, false)
	err := m.server.Rollback(m.t.Context(), "shop", n, keepConfig, event.New(term))
	term.Close()
	return out.String(), err
}

func (m *machine) current() *app.Release {
	m.t.Helper()
	a, err := m.server.Env.Store.Load("shop")
	if err != nil {
		m.t.Fatal(err)
	}
	return a.Current
}

// must fails the test on an error.
func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// TestRollback: a rollback brings back image, files and config of an earlier release, and
// says what it cannot undo and that the branch stays.
func TestRollback(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h) // v1
	ctx := t.Context()
	m.must(m.server.SetConfig(ctx, "", map[string]string{"REGION": "north"}, nil, false, event.Log{}))
	m.must(m.server.SetConfig(ctx, "shop", map[string]string{"A": "1"}, nil, true, event.Log{})) // v2
	one := m.current()
	m.must(m.push(h.one, h.two)) // v3
	m.must(m.server.SetConfig(ctx, "shop", map[string]string{"A": "2", "B": "1"}, nil, true, event.Log{}))
	m.must(m.server.SetConfig(ctx, "", map[string]string{"REGION": "south"}, nil, false, event.Log{}))
	m.settle()

	out, err := m.rollBack(2, false)
	m.must(err)
	for _, want := range []string{
		"-----> Rolling back shop from v4 to v2 (" + h.one[:7] + " x)\n",
		" !     v3 has run its predeploy and its release command: its changes, for example to a database, remain\n",
		"       code " + h.two[:7] + " to " + h.one[:7] + "\n",
		"       config A changed, B removed, REGION changed\n",
		"-----> Releasing shop v5\n",
		" !     main stays at " + h.two[:7] + ", and v5 serves " + h.one[:7] + ": push a fix, or deploy main again: dokku ps:rebuild shop\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	r := m.current()
	if r.Number != 5 || r.Image != one.Image || r.Of != 2 || r.Config["A"] != "1" || r.Config["B"] != "" || r.Config["REGION"] != "south" {
		t.Errorf("it runs %+v", r)
	}
	a, err := m.server.Env.Store.Load("shop")
	m.must(err)
	if len(a.State.Config) != 1 || a.State.Config["A"] != "1" {
		t.Errorf("the app's config is %v", a.State.Config)
	}
	tip, err := deploy.RolledBack(app.View{App: a})
	if err != nil || tip != h.two {
		t.Errorf("rolled back from %q, %v", tip, err)
	}
	m.settle()
	m.must(m.serving())

	// A second rollback goes on from v2, and v1 has another config; then there is nothing.
	if _, err := m.rollBack(0, false); err != nil {
		t.Fatal(err)
	}
	if r := m.current(); r.Of != 1 || r.Number != 6 {
		t.Errorf("the second rollback is %+v", r)
	}
	if _, err := m.rollBack(0, false); err == nil || err.Error() != "cannot roll back shop: no earlier release that differs from v6 is kept" {
		t.Errorf("the third: %v", err)
	}
	// With the present config, a release counts only if its code differs.
	if out, err := m.rollBack(4, true); err != nil || !strings.Contains(out, "to v4 ("+h.two[:7]) {
		t.Errorf("%v:\n%s", err, out)
	}
	m.must(m.server.SetConfig(ctx, "shop", map[string]string{"A": "3"}, nil, true, event.Log{})) // v8
	if _, err := m.rollBack(0, true); err != nil {
		t.Fatal(err)
	}
	if r := m.current(); r.Revision != h.one || r.Config["A"] != "3" {
		t.Errorf("with the present config: %+v", r)
	}
	// A change of the config leaves the app rolled back; a rebuild ends that.
	m.must(m.server.SetConfig(ctx, "shop", map[string]string{"C": "1"}, nil, true, event.Log{}))
	if r := m.current(); r.Back != h.two || r.Of != 0 {
		t.Errorf("after config:set: %+v", r)
	}
	m.must(m.server.Rebuild(ctx, "shop", event.Log{}))
	if r := m.current(); r.Back != "" || r.Revision != h.two {
		t.Errorf("after ps:rebuild: %+v", r)
	}
	m.settle()
	m.must(m.atRest())
}

// TestRollbackRefused: what cannot run is refused before anything starts, and a release
// that fails its checks leaves everything as it was.
func TestRollbackRefused(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	m.must(m.push(h.one, h.two)) // v2
	for n, want := range map[int]string{
		2: "cannot roll back shop to v2: it is the current release",
		9: "cannot roll back shop to v9: the current release is v2",
	} {
		if _, err := m.rollBack(n, false); err == nil || err.Error() != want {
			t.Errorf("v%d: %v", n, err)
		}
	}
	m.must(m.server.SetLocked(ctx, "shop", true, event.Log{}))
	if _, err := m.rollBack(1, false); err == nil || !strings.Contains(err.Error(), "deploy lock in place") {
		t.Errorf("of a locked app: %v", err)
	}
	m.must(m.server.SetLocked(ctx, "shop", false, event.Log{}))
	m.settle()

	before := m.files()
	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Release > 2, Code: 1} })
	if _, err := m.rollBack(1, false); err == nil || !strings.Contains(err.Error(), "Nothing has changed: v2 ("+h.two[:7]+") serves") {
		t.Errorf("a release that fails: %v", err)
	}
	m.engine.Behave(behaviour)
	m.settle()
	after := m.files()
	if len(after) != len(before) {
		t.Errorf("files: %d, then %d", len(before), len(after))
	}
	for path, text := range before {
		if after[path] != text {
			t.Errorf("%s has changed:\n%s", path, after[path])
		}
	}
	m.must(m.atRest())

	m.removeImage(t)
	if _, err := m.rollBack(1, false); err == nil || err.Error() !=
		"cannot roll back shop to v1: its image is not kept, nor that of any other earlier release: push its revision again" {
		t.Errorf("a release without image: %v", err)
	}
}

// removeImage removes the image of v1, as docker image prune may.
func (m *machine) removeImage(t *testing.T) {
	r, err := m.server.Env.Store.Release("shop", 1)
	if err == nil {
		err = m.engine.Remove(t.Context(), engine.Resource{Kind: engine.ImageKind, ID: r.Image})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestReleasesKept: restarts do not push earlier images out, a pinned release stays, and of
// those that go a summary stays.
func TestReleasesKept(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h) // v1; two images are kept
	ctx := t.Context()
	m.must(m.server.Pin(ctx, "shop", 1, true, event.Log{}))
	m.must(m.push(h.one, h.two)) // v2
	for range 10 {
		m.must(m.server.Restart(ctx, "shop", event.Log{}))
	}
	m.settle()
	numbers, err := m.server.Env.Store.ReleaseNumbers("shop")
	m.must(err)
	if want := []int{1, 5, 6, 7, 8, 9, 10, 11, 12}; !slices.Equal(numbers, want) {
		t.Errorf("kept: %v, want %v", numbers, want)
	}
	past, err := m.server.Env.Store.Past("shop", 12, 100)
	m.must(err)
	if len(past) != 3 || past[2].Number != 2 || past[2].Revision != h.two || past[2].Subject != "x" || past[2].Changes[0].String() != "code "+h.one[:7]+" to "+h.two[:7] {
		t.Errorf("past: %+v", past)
	}
	m.must(m.server.Pin(ctx, "shop", 1, false, event.Log{}))
	m.settle()
	if numbers, _ := m.server.Env.Store.ReleaseNumbers("shop"); numbers[0] == 1 {
		t.Errorf("v1 is kept after releases:unpin: %v", numbers)
	}
	// The release that followed it went long before.
	if _, found, err := m.server.Env.Store.PastRelease("shop", 1); !found || err != nil {
		t.Errorf("v1 left no summary after releases:unpin: %v", err)
	}
	if err := m.server.Pin(ctx, "shop", 1, true, event.Log{}); err == nil || !strings.Contains(err.Error(), "its image is not kept") {
		t.Errorf("releases:pin of a removed release: %v", err)
	}
	if err := m.server.Pin(ctx, "shop", 99, true, event.Log{}); err == nil || !strings.HasPrefix(err.Error(), "cannot pin v99 of shop: the current release is v") {
		t.Errorf("releases:pin of no release: %v", err)
	}
}

// TestRejectedIsNoRelease: a record that a rejected push has left, below the number of the
// next release, is not listed as one that served.
func TestRejectedIsNoRelease(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h) // v1; two images are kept
	ctx := t.Context()
	left := *m.current()
	left.Number, left.Image, left.Before, left.Subject = 2, "sha256:rejected", 1, "rejected"
	m.must(m.server.Env.Store.SaveRelease("shop", &left))
	later := left
	later.Number, later.Image, later.Before, later.Subject = 3, m.current().Image, 1, "x"
	m.must(m.server.Env.Store.SaveRelease("shop", &later))
	a, err := m.server.Env.Store.Load("shop")
	m.must(err)
	a.State.Current = 3
	m.must(m.server.Env.Store.SaveState("shop", &a.State))
	m.must(m.server.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error { set.KeepReleases = 1; return nil }))
	m.must(m.server.Reconcile(ctx, "shop", event.Log{}))
	m.settle()
	past, err := m.server.Env.Store.Past("shop", 3, 10)
	m.must(err)
	for _, r := range past {
		if r.Number == 2 {
			t.Errorf("v2 was rejected, and is listed: %+v", r)
		}
	}
	if numbers, _ := m.server.Env.Store.ReleaseNumbers("shop"); slices.Contains(numbers, 2) {
		t.Errorf("the record of v2 is still there: %v", numbers)
	}
}
