package herokuish

import (
	"testing"

	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/source"
)

// TestDetect: what names a buildpack asks for herokuish, a setting may, and a language that
// it knows is built with it if nobody else wants the revision.
func TestDetect(t *testing.T) {
	repo := buildtest.NewRepo(t)
	env := map[string]string{"BUILDPACK_URL": "https://example.com/b.git"}
	for _, c := range []struct {
		name     string
		files    buildtest.Files
		env      map[string]string
		set      []string
		selected string
		refused  bool
		reason   string
		ok       bool
		fallback string
		falls    bool
	}{
		{name: "nothing", files: buildtest.Files{"index.html": "x"}},
		{name: ".buildpacks", files: buildtest.Files{".buildpacks": "https://example.com/b.git\n"}, reason: ".buildpacks", ok: true},
		{name: ".env", files: buildtest.Files{".env": "A=1\nBUILDPACK_URL=https://example.com/b.git\n"}, reason: "BUILDPACK_URL in .env", ok: true},
		{name: "other .env", files: buildtest.Files{".env": "A=1\n"}},
		{name: "config", files: buildtest.Files{"x": "x"}, env: env, reason: "BUILDPACK_URL", ok: true},
		{name: "buildpacks:set", files: buildtest.Files{"x": "x"}, set: []string{"https://example.com/b.git"}, reason: "the buildpacks of buildpacks:set", ok: true},
		{name: "language", files: buildtest.Files{"package.json": "{}"}, fallback: "package.json", falls: true},
		{name: "selected", files: buildtest.Files{"package.json": "{}"}, selected: "herokuish", reason: "package.json", ok: true, fallback: "package.json", falls: true},
		{name: "selected without a language", files: buildtest.Files{"x": "x"}, selected: "herokuish", ok: true},
		{name: "not allowed", files: buildtest.Files{"package.json": "{}"}, refused: true},
		{name: "not allowed, with .buildpacks", files: buildtest.Files{".buildpacks": "https://example.com/b.git\n"}, refused: true,
			reason: "herokuish is not allowed for it; to allow it: dokku builder-herokuish:set hello allowed true"},
		{name: "not allowed, but selected", files: buildtest.Files{"package.json": "{}"}, refused: true, selected: "herokuish",
			reason: "herokuish is not allowed for it; to allow it: dokku builder-herokuish:set hello allowed true"},
		{name: "no buildpack", files: buildtest.Files{"mix.exs": "x"},
			fallback: "it has mix.exs (Elixir), for which herokuish has no buildpack; to name one: dokku config:set hello BUILDPACK_URL=URL"},
	} {
		s, err := source.Open(source.Options{GitDir: repo.Dir})
		if err != nil {
			t.Fatal(err)
		}
		commit, err := s.Commit(repo.Commit("", c.files))
		if err != nil {
			t.Fatal(err)
		}
		r := build.Request{App: "hello", Source: s, Commit: commit, Env: c.env, Buildpacks: c.set, Selected: c.selected, NoHerokuish: c.refused}
		b := New(nil)
		if reason, ok, err := b.Detect(t.Context(), r); reason != c.reason || ok != c.ok || err != nil {
			t.Errorf("%s: %q, %t, %v", c.name, reason, ok, err)
		}
		if reason, ok, err := b.Fallback(t.Context(), r); reason != c.fallback || ok != c.falls || err != nil {
			t.Errorf("%s: fallback %q, %t, %v", c.name, reason, ok, err)
		}
		s.Close()
	}
}
