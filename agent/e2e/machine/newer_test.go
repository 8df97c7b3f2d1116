package machine

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/deploy"
	"dokku/agent/doctor"
	"dokku/agent/event"
)

// everyFile is the content of every file below root except locks and logs.
func everyFile(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if strings.HasPrefix(rel, ".dokku/locks/") || strings.HasPrefix(rel, ".dokku/log/") || d.Type() == fs.ModeSymlink {
			return nil
		}
		data, err := os.ReadFile(path)
		all[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// everyOperation lists the operations that people and git can run on a server with an app.
func everyOperation(h history, data []byte) map[string]func(*machine) error {
	ctx, none := context.Background(), event.Log{}
	ops := map[string]func(*machine) error{
		"ps:scale --skip-deploy": func(m *machine) error {
			return m.server.Scale(ctx, "shop", map[string]int{"web": 3}, true, none)
		},
		"config:set --no-restart": func(m *machine) error {
			return m.server.SetConfig(ctx, "shop", map[string]string{"A": "b"}, nil, false, none)
		},
		"domains:set": func(m *machine) error {
			return m.server.Update(ctx, "shop", deploy.Op{Name: "domains:set", Changes: deploy.ChangesNames}, none, func(st *app.State) error { st.Domains = []string{"a.example"}; return nil })
		},
		"apps:lock":    func(m *machine) error { return m.server.SetLocked(ctx, "shop", true, none) },
		"apps:destroy": func(m *machine) error { return m.server.Destroy(ctx, "shop", none) },
		"apps:rename":  func(m *machine) error { return m.server.Rename(ctx, "shop", "store", true, none) },
		"apps:clone":   func(m *machine) error { return m.server.Clone(ctx, "shop", "store", none) },
		"repo:gc":      func(m *machine) error { return m.server.PackRepository(ctx, "shop", none) },
		"maintenance:custom-page": func(m *machine) error {
			return m.server.SetMaintenancePage(ctx, "shop", "maintenance:custom-page", map[string][]byte{"maintenance.html": nil}, none)
		},
		"ps:restore":   func(m *machine) error { return m.server.StartEnded(ctx, "shop", none) },
		"cleanup":      func(m *machine) error { return m.server.Cleanup(ctx, "shop", none) },
		"post-receive": func(m *machine) error { return m.server.Reconcile(ctx, "shop", none) },
		"the agent": func(m *machine) error {
			_, _, err := m.server.TryReconcile(ctx, "shop", true, none)
			return err
		},
		"the push's end": func(m *machine) error { _, err := m.server.DropProvisional(ctx, "shop", none); return err },
		"doctor --fix": func(m *machine) error {
			d := doctor.Doctor{Server: m.server, Around: doctor.Surroundings{SSHConfig: "/dev/null"}}
			var texts []string
			for _, f := range d.Fix(ctx, "shop", d.Examine(ctx, "shop"), none) {
				if f.Status != doctor.HealthOK {
					texts = append(texts, f.Text)
				}
			}
			return errors.New(strings.Join(texts, "\n"))
		},
		"backup": func(m *machine) error {
			_, _, err := backup.Write(ctx, m.server, backup.BackupOptions{}, &bytes.Buffer{}, none)
			return err
		},
		"restore --force": func(m *machine) error {
			_, err := backup.Restore(ctx, m.server, bytes.NewReader(data), backup.RestoreOptions{Force: true}, none)
			return err
		},
	}
	for _, op := range operations(ctx, h, agenttest.Killed) {
		// The one changes the server's settings first, the other its passwords; the last
		// finds nothing new.
		if !strings.HasPrefix(op.Name, "ps:restart with") && op.Name != "a push with a submodule" && op.Name != "git:sync" &&
			!strings.HasSuffix(op.Name, "cluster:rotate-certificates") && // of the nodes alone
			!strings.HasPrefix(op.Name, "postgres:") && !strings.HasPrefix(op.Name, "redis:") { // of services, which have a test of their own
			ops[op.Name] = op.do
		}
	}
	// The databases of an app come before it, and are none of its files.
	ops["import of a later version and its settings"] = func(m *machine) error { return m.mover().App(ctx, oldApp(h, "shop"), h.tar) }
	return ops
}

// TestNewerFiles gives a server each of its files as a newer version would write it.
// Every operation must fail, name the file, and leave every file as it is.
func TestNewerFiles(t *testing.T) {
	h := newHistory(t)
	base := newMachine(t, h)
	data := base.backedUp(backup.BackupOptions{})
	if err := base.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	base.settle()
	put(t, filepath.Join(base.root, "shop/dokku/past/0.json"), `{"version": 1, "releases": []}`)
	put(t, filepath.Join(base.root, "shop/dokku/problem.json"), `{"version": 1, "since": "2026-01-02T03:04:05Z", "text": "x"}`)
	version := regexp.MustCompile(`"version": *1`)
	for _, name := range []string{"shop/dokku/state.json", "shop/dokku/releases/1.json", "shop/dokku/releases/2.json",
		"shop/dokku/problem.json", "shop/dokku/past/0.json", ".dokku/server.json"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			ops := everyOperation(h, data)
			if name == ".dokku/server.json" {
				ops["domains:set-global"] = func(m *machine) error {
					return m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error { set.Domains = nil; return nil })
				}
				ops["apps:create"] = func(m *machine) error { return m.server.Create(t.Context(), "blog", false) }
			}
			for what, do := range ops {
				m := &machine{t: t, root: inMemory(t), engine: base.engine.Clone(), proxy: base.proxy}
				if err := copyTree(base.root, m.root); err != nil {
					t.Fatal(err)
				}
				m.turnOn()
				path := filepath.Join(m.root, name)
				text, err := os.ReadFile(path)
				if err != nil || !version.Match(text) {
					t.Fatalf("%s: %s (%v)", name, text, err)
				}
				put(t, path, string(version.ReplaceAll(text, []byte(`"version": 2, "new": {"a": [1]}`))))
				before := everyFile(t, m.root)
				published := len(m.proxy.Published())
				err = do(m)
				if err == nil || !strings.Contains(err.Error(), path+": it has version 2, this dokku knows up to 1: install the newer dokku again") {
					t.Errorf("%s: %v", what, err)
				}
				if after := everyFile(t, m.root); !maps.Equal(before, after) {
					for k := range after {
						if before[k] != after[k] {
							t.Errorf("%s: %s is now\n%s", what, k, after[k])
						}
					}
					for k := range before {
						if _, ok := after[k]; !ok {
							t.Errorf("%s: %s is gone", what, k)
						}
					}
				}
				if now := len(m.proxy.Published()); now != published || m.count != 0 {
					t.Errorf("%s: %d changes %v, %d routes published", what, m.count, m.names, now-published)
				}
			}
			t.Logf("%d operations", len(ops))
		})
	}
}
