package dockerfile

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/source"
)

// request is a request for a revision of a repository.
func request(t *testing.T, r buildtest.Repo, revision string) build.Request {
	t.Helper()
	s, err := source.Open(source.Options{GitDir: r.Dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := s.Commit(revision)
	if err != nil {
		t.Fatal(err)
	}
	return build.Request{App: "hello", Source: s, Commit: c, Manifest: filepath.Join(t.TempDir(), "manifest")}
}

// TestDetect goes through the order of detection, which makes an error of a builder
// that does not fit.
func TestDetect(t *testing.T) {
	r := buildtest.NewRepo(t)
	rev := r.Commit("", buildtest.Files{"Dockerfile": "FROM scratch\n", "deploy/web.dockerfile": "FROM scratch\n"})
	none := r.Commit("", buildtest.Files{"index.html": "x"})
	lower := r.Commit("", buildtest.Files{"dockerfile": "FROM scratch\n"})
	linked := r.Commit("", buildtest.Files{"120000 Dockerfile": "deploy/Dockerfile", "deploy/Dockerfile": "FROM scratch\n"})
	outside := r.Commit("", buildtest.Files{"120000 Dockerfile": "../Dockerfile"})
	backend := r.Commit("", buildtest.Files{"backend/Dockerfile": "FROM scratch\n"})
	for _, c := range []struct{ rev, setting, path, err string }{
		{rev, "", "Dockerfile", ""},
		{rev, "./deploy/web.dockerfile", "deploy/web.dockerfile", ""},
		{rev, "../x", "", "not a path inside the repository"},
		{rev, "/etc/passwd", "", "not a path inside the repository"},
		{rev, "x/Dockerfile", "", "it has no x/Dockerfile in its root; add the file or correct the path: dokku builder-dockerfile:set hello dockerfile-path FILE"},
		{linked, "", "Dockerfile", ""},
		{outside, "", "", "cannot read Dockerfile in 0000000: the symbolic link Dockerfile -> ../Dockerfile leads out of the repository"},
		{backend, "", "", "it has no Dockerfile in its root, but backend/Dockerfile; "},
		{none, "", "", "cannot build " + none[:7] + ": it has no Dockerfile in its root, which has index.html; add one and push again"},
		{lower, "", "", "it has no Dockerfile but dockerfile; rename that and push again"},
	} {
		q := request(t, r, c.rev)
		q.Dockerfile = c.setting
		_, choice, err := build.Builders{New(Config{})}.Choose(t.Context(), q)
		want := build.Choice{}
		if c.err == "" {
			want = build.Choice{Builder: "dockerfile", Reason: c.path}
		}
		c.err = strings.Replace(c.err, "0000000", q.Commit.Short, 1)
		if choice != want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%.7s %q: %+v, %v", c.rev, c.setting, choice, err)
		}
	}
}

// TestBuildWithoutEngine: Build uses the engine of its builder, and no other.
func TestBuildWithoutEngine(t *testing.T) {
	cli, err := client.NewClientWithOpts(client.WithHost("unix://" + filepath.Join(t.TempDir(), "none.sock")))
	if err != nil {
		t.Fatal(err)
	}
	r := buildtest.NewRepo(t)
	q := request(t, r, r.Commit("", buildtest.Files{"Dockerfile": "FROM scratch\n"}))
	res, err := build.Builders{New(Config{Client: func() *client.Client { return cli }})}.Build(t.Context(), q)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot build "+q.Commit.Short+": ") || res.Choice.Builder != "dockerfile" {
		t.Errorf("%+v, %v", res, err)
	}
}
