package machine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/backup"
	"dokku/agent/backup/archive"
)

// TestRestoreDamaged restores damaged files: nothing changes.
func TestRestoreDamaged(t *testing.T) {
	h := newHistory(t)
	old := newMachine(t, h)
	data := old.backedUp(backup.BackupOptions{})
	m := old.another()
	refused := func(what string, data []byte, want string) {
		t.Helper()
		m.count = 0
		_, err := m.restored(data, backup.RestoreOptions{})
		if err == nil || !strings.Contains(err.Error(), "nothing has changed") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
		if apps, _ := m.server.Env.Store.Apps(); len(apps) > 0 {
			t.Fatalf("%s: %v exist", what, apps)
		}
		if left, _ := filepath.Glob(filepath.Join(m.root, ".dokku", "*")); len(left) != 0 {
			t.Fatalf("%s: %v is left", what, left)
		}
	}
	refused("empty", nil, "it is empty")
	refused("no backup", []byte("hello, world"), "it is not a backup")
	refused("followed", append(bytes.Clone(data), 0), "something follows its end")
	for n := 1; n < len(data); n += len(data)/97 + 1 {
		refused(fmt.Sprintf("cut after %d bytes", n), data[:n], "")
	}
	for n := 0; n < len(data); n += len(data)/97 + 1 {
		if n >= 3 && n < 10 { // of gzip's header nobody reads time and system
			continue
		}
		changed := bytes.Clone(data)
		changed[n] ^= 0x55
		refused(fmt.Sprintf("changed at %d", n), changed, "")
	}

	for _, test := range impossibleBackups {
		dir := t.TempDir()
		man, err := archive.Read(t.Context(), bytes.NewReader(data), dir, func(archive.Manifest) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		test.change(t, dir, &man)
		var b bytes.Buffer
		if _, err := archive.Write(t.Context(), &b, man, dir); err != nil {
			t.Fatal(err)
		}
		refused(test.name, b.Bytes(), test.want)
	}
}

// impossibleBackups are well formed, but not possible as backups of an app.
var impossibleBackups = []struct {
	name   string
	change func(t *testing.T, dir string, m *archive.Manifest)
	want   string
}{
	{"a release of a newer dokku", func(t *testing.T, dir string, m *archive.Manifest) {
		replace(t, filepath.Join(dir, "apps/shop/dokku/releases/1.json"), `"version": 1`, `"version": 2`)
	}, "apps/shop/dokku/releases/1.json: it has version 2, this dokku knows up to 1: restore it with the newer dokku"},
	{"a state of a newer dokku", func(t *testing.T, dir string, m *archive.Manifest) {
		replace(t, filepath.Join(dir, "apps/shop/dokku/state.json"), `"version": 1`, `"version": 2`)
	}, "state.json: it has version 2"},
	{"no state", func(t *testing.T, dir string, m *archive.Manifest) {
		os.Remove(filepath.Join(dir, "apps/shop/dokku/state.json"))
	}, "state.json"},
	{"no release", func(t *testing.T, dir string, m *archive.Manifest) {
		os.Remove(filepath.Join(dir, "apps/shop/dokku/releases/1.json"))
	},
		"its release v1 is missing"},
	{"a name that leads out", func(t *testing.T, dir string, m *archive.Manifest) { m.Apps[0].Name = "../shop" }, `it has an app named "../shop"`},
	{"two apps of a name", func(t *testing.T, dir string, m *archive.Manifest) { m.Apps = append(m.Apps, m.Apps[0]) }, `it has an app named "shop"`},
	{"a hook", func(t *testing.T, dir string, m *archive.Manifest) {
		put(t, filepath.Join(dir, "apps/shop/hooks/update"), "#!/bin/sh\n")
	},
		"hooks/update"},
	{"objects of elsewhere", func(t *testing.T, dir string, m *archive.Manifest) {
		put(t, filepath.Join(dir, "apps/shop/objects/info/alternates"), "/etc\n")
	}, "alternates"},
	{"a file of no app", func(t *testing.T, dir string, m *archive.Manifest) {
		put(t, filepath.Join(dir, "apps/other/HEAD"), "x")
	}, "apps/other/HEAD"},
	{"a file of the server's", func(t *testing.T, dir string, m *archive.Manifest) { put(t, filepath.Join(dir, "log"), "x") }, `"log"`},
	{"no object", func(t *testing.T, dir string, m *archive.Manifest) {
		os.RemoveAll(filepath.Join(dir, "apps/shop/objects"))
	}, "git finds the repository damaged"},
	{"settings that are none", func(t *testing.T, dir string, m *archive.Manifest) {
		put(t, filepath.Join(dir, "server.json"), `{"version": 1, "max_scal": 3}`)
	}, `line 1 has the key "max_scal", which is no setting: did you mean "max_scale"?`},
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s has no %q (%v)", path, old, err)
	}
	put(t, path, strings.Replace(string(data), old, new, 1))
}
