package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/doctor"
	"dokku/agent/event"
	"dokku/agent/store"
)

func TestUnknownSettings(t *testing.T) {
	for text, want := range map[string]string{
		`{"version": 1, "max_scale": 3}`:                                        "",
		`{"version": 1, "Max_Scale": 3}`:                                        "", // encoding/json takes it
		`{"config": {"max_scal": "1", "nginx": "x"}, "checks": {"wat": "1"}}`:   "",
		`{"nginx": {"port": 8080, "properties": {"prot": "1"}}}`:                "",
		"{\n \"domains\": [\"a\", \"b\"],\n \"max_scal\": 3}":                   `line 3 has the key "max_scal", which is no setting: did you mean "max_scale"?`,
		"{\n\"nginx\": {\n\"port\": 8080,\n\"checks\": [\"true\"]}\n}":          `line 4 has the key "checks" of nginx, which is no setting: did you mean "check"?`,
		`{"keepReleases": 2}`:                                                   `did you mean "keep_releases"?`,
		`{"domain": ["a"]}`:                                                     `did you mean "domains"?`,
		`{"storage-root": "/x"}`:                                                `did you mean "storage_root"?`,
		`{"pol": "10.0.0.0/8", "nginx": {"prot": 1}}`:                           `line 1 has the key "pol"`,
		`{"max_scale": 3,}`:                                                     "invalid character",
		`{"version": 2, "max_scal": 3}`:                                         "it has version 2",
		`{"config": {"A": "b"}, "git": {"x": "y"}, "no_auto_creat": [{"a":1}]}`: `did you mean "no_auto_create"?`,
	} {
		path := filepath.Join(t.TempDir(), "server.json")
		put(t, path, text)
		_, err := store.ReadSettings(path)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestBadSettings: after a bad edit, commands fail with a message and change nothing.
// The agent keeps the apps up with the previous settings, also if it starts after the
// edit.
func TestBadSettings(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	path := m.server.Env.Store.Own("server.json")
	agent := func() {
		m.turnOn()
		m.server.Env.Store.Good = &store.GoodSettings{Path: m.server.Env.Store.Own(store.GoodSettingsFile)}
	}
	agent()
	m.settle() // the agent has seen the good ones
	for _, bad := range []string{`{"version": 1, "keep_release": 1}`, `{"version": 1,,}`, ``} {
		put(t, path, bad)
		m.turnOn()
		before := everyFile(t, m.root)
		m.count = 0
		for what, err := range map[string]error{
			"push":     m.push(h.one, h.two),
			"ps:scale": m.server.Scale(t.Context(), "shop", map[string]int{"web": 3}, false, event.Log{}),
			"settings": m.server.Env.Store.UpdateSettings(t.Context(), func(*app.Settings) error { return nil }),
			"create":   m.server.Create(t.Context(), "blog", false),
		} {
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s with %s: %v", what, bad, err)
			}
		}
		if m.count != 0 || len(everyFile(t, m.root)) != len(before) {
			t.Errorf("with %s: %v", bad, m.names)
		}
		found := doctor.Doctor{Server: m.server}.Examine(t.Context(), "")
		if len(found) != 1 || found[0].Check != "settings" || !strings.Contains(found[0].Fix, "correct "+path) {
			t.Errorf("doctor: %+v", found)
		}

		// The host comes back: an agent that has never seen good settings starts all apps.
		agent()
		m.engine.Fail(nil)
		o, _ := m.engine.Observe(t.Context(), "shop")
		for _, i := range o.Instances {
			m.engine.Exit(i.ID, 0)
		}
		for range 3 {
			if _, done, err := m.server.TryReconcile(t.Context(), "shop", true, event.Log{}); !done || err != nil {
				t.Fatalf("the agent with %s: %v, %v", bad, done, err)
			}
		}
		if err := m.serving(); err != nil {
			t.Errorf("with %s: %v", bad, err)
		}
		if set, err := m.server.Env.Store.Settings(); err != nil || set.KeepReleases != 2 {
			t.Errorf("the agent goes on with %+v, %v", set, err)
		}
		if data, _ := os.ReadFile(path); string(data) != bad {
			t.Errorf("the agent has changed the file: %s", data)
		}
	}
	put(t, path, `{"version": 1, "keep_releases": 4, "checks": {"default-wait": "0"}}`)
	if set, err := m.server.Env.Store.Settings(); err != nil || set.KeepReleases != 4 {
		t.Errorf("a fixed file: %+v, %v", set, err)
	}
}
