package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	proxymemory "dokku/agent/proxy/memory"
	"dokku/agent/vault"
)

// backedUp returns a backup of the whole machine.
func (m *machine) backedUp(o backup.BackupOptions) []byte {
	m.t.Helper()
	var b bytes.Buffer
	if _, _, err := backup.Write(context.Background(), m.server, o, &b, event.Log{}); err != nil {
		m.t.Fatal(err)
	}
	return b.Bytes()
}

// restored restores a backup and returns the output.
func (m *machine) restored(data []byte, o backup.RestoreOptions) (string, error) {
	var printed strings.Builder
	term := event.NewTerminal(&printed, &printed, false)
	_, err := backup.Restore(context.Background(), m.server, bytes.NewReader(data), o, event.New(term))
	term.Close()
	return printed.String(), err
}

// another is a machine without apps.
func (m *machine) another() *machine {
	n := &machine{t: m.t, root: inMemory(m.t), engine: memory.New(), proxy: proxymemory.New()}
	n.engine.Behave(func(s engine.Spec) memory.Behaviour {
		return memory.Behaviour{Output: []string{s.Type + " ran"}, Exits: s.Kind == engine.KindRelease}
	})
	if err := os.Mkdir(filepath.Join(n.root, ".dokku"), 0o700); err != nil {
		m.t.Fatal(err)
	}
	n.turnOn()
	return n
}

// furnish gives the machine's app settings of all kinds.
func (m *machine) furnish() {
	m.t.Helper()
	ctx := context.Background()
	err := m.server.SetConfig(ctx, "shop", map[string]string{"SECRET": "s3cret"}, nil, true, event.Log{})
	if err == nil {
		err = m.server.Update(ctx, "shop", deploy.Op{Name: "domains:set", Changes: deploy.ChangesNames}, event.Log{}, func(st *app.State) error {
			st.Domains, st.DeployBranch = []string{"shop.example.com"}, "main"
			return nil
		})
	}
	if err == nil {
		err = m.server.SetLocked(ctx, "shop", true, event.Log{})
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(m.server.Env.Store.Dir("shop"), "nginx.conf.d", "a.conf"), []byte("# mine\n"), 0o600)
	}
	if err == nil {
		err = m.furnishRoute()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.settle()
}

// TestRestoreElsewhere restores on another machine, with the images and without.
func TestRestoreElsewhere(t *testing.T) {
	h := newHistory(t)
	for _, images := range []bool{false, true} {
		t.Run(fmt.Sprintf("images=%v", images), func(t *testing.T) {
			old := newMachine(t, h)
			old.furnish()
			was, _ := old.server.Env.Store.Load("shop")
			// Names that git takes, and an archive does not.
			odd := []string{"refs/heads/caf\xe9", "refs/heads/" + strings.Repeat("a/", 600) + "b"}
			for _, ref := range odd {
				git(t, old.server.Env.Store.Dir("shop"), "update-ref", "--create-reflog", ref, h.one)
			}
			data := old.backedUp(backup.BackupOptions{Images: images})

			m := old.another()
			printed, err := m.restored(data, backup.RestoreOptions{OnHost: true})
			if err != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			m.settle()
			if err := m.atRest(); err != nil {
				t.Error(err)
			}
			if err := m.serving(); err != nil {
				t.Error(err)
			}
			a, err := m.server.Env.Store.Load("shop")
			if err != nil {
				t.Fatal(err)
			}
			if a.State.Current != was.State.Current+1 || a.Current.Cause != deploy.Restoring || a.Current.Revision != was.Current.Revision {
				t.Errorf("v%d of %s runs %s", a.State.Current, a.Current.Cause, a.Current.Revision)
			}
			if st := a.State; !maps.Equal(st.Scale, was.State.Scale) || st.Config["SECRET"] != "s3cret" || !st.Locked ||
				st.DeployBranch != "main" || st.Domains[0] != "shop.example.com" || !st.CreatedAt.Equal(was.State.CreatedAt) {
				t.Errorf("the state is %+v, was %+v", st, was.State)
			}
			built := strings.Contains(strings.Join(m.names, " "), "build")
			if built == images {
				t.Errorf("built: %v, with images: %v", built, images)
			}
			set, _ := m.server.Env.Store.Settings()
			if set.Checks["default-wait"] != "0" || set.KeepReleases != 2 {
				t.Errorf("the settings are %+v", set)
			}
			if _, err := os.Stat(filepath.Join(m.server.Env.Store.Dir("shop"), "nginx.conf.d", "a.conf")); err != nil {
				t.Error(err)
			}

			for _, ref := range odd {
				if got := git(t, m.server.Env.Store.Dir("shop"), "rev-parse", ref); got != h.one {
					t.Errorf("%.20q is at %s", ref, got)
				}
			}

			// The next push from an old clone.
			if err := m.server.SetLocked(t.Context(), "shop", false, event.Log{}); err != nil {
				t.Fatal(err)
			}
			h.fetch(t, m.server.Env.Store.Dir("shop"))
			if err := m.push(h.one, h.two); err != nil {
				t.Fatal(err)
			}
			m.settle()
			if err := m.atRest(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBackupWithoutOne: an app that cannot be read is no reason to be without a backup of
// the others. Only the one that was named is.
func TestBackupWithoutOne(t *testing.T) {
	m := newMachine(t, newHistory(t))
	for _, name := range []string{"broken", "torn"} {
		m.must(m.server.Create(t.Context(), name, false))
	}
	m.must(os.WriteFile(filepath.Join(m.server.Env.Store.Dir("broken"), "dokku", "state.json"), []byte("{"), 0o600))
	m.must(os.WriteFile(filepath.Join(m.server.Env.Store.Dir("torn"), "refs", "heads", "main"), []byte(strings.Repeat("ab", 20)+"\n"), 0o600))

	var file bytes.Buffer
	_, _, err := backup.Write(t.Context(), m.server, backup.BackupOptions{}, &file, event.Log{})
	var incomplete *vault.IncompleteError
	if !errors.As(err, &incomplete) || len(incomplete.Lacks) != 2 ||
		!strings.HasPrefix(incomplete.Lacks[0], "cannot back up broken: ") || !strings.HasPrefix(incomplete.Lacks[1], "cannot back up torn: git finds the repository damaged: ") {
		t.Fatalf("%v", err)
	}
	n := m.another()
	if printed, err := n.restored(file.Bytes(), backup.RestoreOptions{OnHost: true}); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	if names, err := n.server.Env.Store.Apps(); err != nil || !slices.Equal(names, []string{"shop"}) {
		t.Errorf("%v, %v", names, err)
	}
	file.Reset()
	if _, _, err := backup.Write(t.Context(), m.server, backup.BackupOptions{Apps: []string{"shop", "torn"}}, &file, event.Log{}); err == nil || errors.As(err, &incomplete) || file.Len() > 0 {
		t.Errorf("%d bytes, %v", file.Len(), err)
	}
}

// TestRestoreOtherStore: an engine with another kind of image store gives the images
// other ids. The releases take them over, and nothing is built again.
func TestRestoreOtherStore(t *testing.T) {
	h := newHistory(t)
	old := newMachine(t, h)
	if err := old.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	old.settle()
	m := old.another()
	m.engine.Renumber(func(saved string) string { return strings.Replace(saved, "sha256:", "sha256:9", 1) })
	printed, err := m.restored(old.backedUp(backup.BackupOptions{Images: true}), backup.RestoreOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	m.settle()
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
	if err := m.serving(); err != nil {
		t.Error(err)
	}
	if strings.Contains(strings.Join(m.names, " "), "build") {
		t.Errorf("it was built again:\n%s", printed)
	}
	releases, err := m.server.Env.Store.Releases("shop")
	if err != nil || len(releases) == 0 {
		t.Fatal(releases, err)
	}
	for _, r := range releases {
		if !strings.HasPrefix(r.Image, "sha256:9") {
			t.Errorf("v%d has the image %s", r.Number, r.Image)
		}
	}
}

// TestRestoreStopped: a stopped app stays stopped. Starting it builds it.
func TestRestoreStopped(t *testing.T) {
	old := newMachine(t, newHistory(t))
	if err := old.server.Stop(t.Context(), "shop", event.Log{}); err != nil {
		t.Fatal(err)
	}
	m := old.another()
	if _, err := m.restored(old.backedUp(backup.BackupOptions{}), backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	m.settle()
	if o, _ := m.engine.Observe(t.Context(), ""); len(o.Instances) != 0 {
		t.Errorf("it runs %v", o.Instances)
	}
	for _, start := range []func() error{
		func() error { return m.server.Start(t.Context(), "shop", event.Log{}) },
		func() error { return m.server.Stop(t.Context(), "shop", event.Log{}) },
		func() error { return m.server.Restart(t.Context(), "shop", event.Log{}) },
	} {
		if err := start(); err != nil {
			t.Fatal(err)
		}
	}
	m.settle()
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
}

// TestRestoreOneFails: an app whose processes fail to start stays stopped with all its
// data, and does not keep other apps from being restored.
func TestRestoreOneFails(t *testing.T) {
	h := newHistory(t)
	old := newMachine(t, h)
	if err := old.server.Create(t.Context(), "blog", false); err != nil {
		t.Fatal(err)
	}
	h.fetch(t, old.server.Env.Store.Dir("blog"))
	if err := old.pushTo(t.Context(), "blog", deploy.ZeroID, h.one, event.Log{}); err != nil {
		t.Fatal(err)
	}
	data := old.backedUp(backup.BackupOptions{})
	m := old.another()
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		return memory.Behaviour{Exits: s.App == "blog" || s.Kind != engine.KindDeploy}
	})
	printed, err := m.restored(data, backup.RestoreOptions{OnHost: true})
	if err == nil || !strings.Contains(err.Error(), "Unable to restore 1 of 2 apps: blog") {
		t.Fatalf("%v\n%s", err, printed)
	}
	for _, want := range []string{"blog is restored but stopped", "ps:rebuild blog"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not in\n%s", want, printed)
		}
	}
	for range 2 { // the agent does not try again
		if _, _, err := m.server.TryReconcile(t.Context(), "blog", false, event.Log{}); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := m.server.Env.Store.Load("blog")
	if !a.State.Stopped || a.State.Restored.Start || a.State.Current != 1 {
		t.Errorf("%+v", a.State)
	}
	if err := m.serving(); err != nil {
		t.Error(err)
	}
	// The same backup again continues with the failed app, and leaves the rest alone.
	m.turnOn()
	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Kind != engine.KindDeploy} })
	shop, _ := m.server.Env.Store.Load("shop")
	if printed, err := m.restored(data, backup.RestoreOptions{OnHost: true}); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	if a, _ := m.server.Env.Store.Load("blog"); a.State.Stopped || a.State.Current != 2 {
		t.Errorf("%+v", a.State)
	}
	if again, _ := m.server.Env.Store.Load("shop"); again.State.Current != shop.State.Current {
		t.Error("the app that was there was deployed again")
	}
}

// TestRestoreExisting: an app that exists is refused, and with Force replaced.
func TestRestoreExisting(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	data := m.backedUp(backup.BackupOptions{})
	if err := m.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	m.settle()
	before := m.files()
	_, err := m.restored(data, backup.RestoreOptions{})
	if err == nil || !strings.Contains(err.Error(), "these apps exist already: shop") || !maps.Equal(before, m.files()) {
		t.Fatalf("%v", err)
	}
	if printed, err := m.restored(data, backup.RestoreOptions{Force: true}); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	m.settle()
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
	if a, _ := m.server.Env.Store.Load("shop"); a.Current.Revision != h.one {
		t.Errorf("%s runs", a.Current.Revision)
	}
}

// TestRestoreKilled kills a restore before each of its changes. The app must be whole
// or absent, the agent starts a whole one, and the same restore again does the rest.
func TestRestoreKilled(t *testing.T) {
	h := newHistory(t)
	for name, force := range map[string]bool{"of an app that is not there": false, "of one that is replaced": true} {
		for _, images := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, images=%v", name, images), func(t *testing.T) {
				old := newMachine(t, h)
				data := old.backedUp(backup.BackupOptions{Images: images})
				begin := func() *machine {
					if force {
						return newMachine(t, h)
					}
					return old.another()
				}
				whole := begin()
				if _, err := whole.restored(data, backup.RestoreOptions{Force: force}); err != nil {
					t.Fatal(err)
				}
				n := whole.count
				if n < 24 {
					t.Errorf("only %d changes: %v", n, whole.names)
				}
				for k := 1; k <= n; k++ {
					m := begin()
					m.kill = k
					m.restored(data, backup.RestoreOptions{Force: force})
					where := fmt.Sprintf("killed before change %d (%s)", k, m.names[len(m.names)-1])
					m.turnOn()
					m.server.Env.Store.SweepRoot()
					_, err := m.server.Env.Store.Load("shop")
					if err == nil {
						m.settle()
						if err := m.atRest(); err != nil {
							t.Fatalf("%s: after recovery: %v\n%v", where, err, m.names)
						}
					} else if entries, _ := filepath.Glob(filepath.Join(m.root, "shop*")); len(entries) > 0 {
						t.Fatalf("%s: %v, and %v is there", where, err, entries)
					}
					if printed, err := m.restored(data, backup.RestoreOptions{Force: force}); err != nil {
						t.Fatalf("%s: again: %v\n%s", where, err, printed)
					}
					m.settle()
					if err := m.atRest(); err != nil {
						t.Fatalf("%s: again: %v", where, err)
					}
					left, _ := filepath.Glob(filepath.Join(m.root, ".dokku", "restore-*"))
					if len(left) > 0 {
						t.Fatalf("%s: %v is left", where, left)
					}
				}
				t.Logf("killed before each of %d changes", n)
			})
		}
	}
}
