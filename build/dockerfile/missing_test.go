package dockerfile

import (
	"testing"

	"dokku/build"
	"dokku/build/buildtest"
)

// TestMissing: the error of a repository without a Dockerfile in its root names what it
// has, and how to build it.
func TestMissing(t *testing.T) {
	r := buildtest.NewRepo(t)
	const begin = "it has no Dockerfile in its root, but "
	for _, c := range []struct {
		dir   string
		files []string
		want  string
	}{
		{"", []string{"backend/Dockerfile"}, begin + "backend/Dockerfile; to build that one: dokku builder:set hello build-dir backend, " +
			"or, with all files of the repository: dokku builder-dockerfile:set hello dockerfile-path backend/Dockerfile"},
		{"", []string{"Dockerfile.prod"}, begin + "Dockerfile.prod; to build that one: dokku builder-dockerfile:set hello dockerfile-path Dockerfile.prod"},
		{"", []string{"a/b/Dockerfile", "c/web.dockerfile", "z-Dockerfile.md", "Containerfile"},
			begin + "Containerfile, c/web.dockerfile, a/b/Dockerfile; to build Containerfile: dokku builder-dockerfile:set hello dockerfile-path Containerfile"},
		{"", []string{"dockerfile-a", "Dockerfile_b", "Dockerfile.c", "Dockerfile.d", "Dockerfile.e"},
			begin + "Dockerfile.c, Dockerfile.d, Dockerfile.e and 2 more; to build Dockerfile.c: dokku builder-dockerfile:set hello dockerfile-path Dockerfile.c"},
		{"", []string{"node_modules/x/Dockerfile", "web/vendor/x/Dockerfile", "Dockerfile.dockerignore", "docs/Dockerfiles", "dockerfilex"},
			"it has no Dockerfile in its root, which has Dockerfile.dockerignore, dockerfilex; add one and push again"},
		{"", []string{"a/b"}, "it has no Dockerfile in its root; add one and push again"},
		{"apps", []string{"apps/index.html"}, "it has no Dockerfile in apps, its build-dir, which has index.html; add one and push again"},
		{"apps", []string{"Dockerfile", "apps/web/Dockerfile"}, "it has no Dockerfile in apps, its build-dir, but web/Dockerfile; to build that one: " +
			"dokku builder:set hello build-dir apps/web, or, with all files of apps: dokku builder-dockerfile:set hello dockerfile-path web/Dockerfile"},
	} {
		f := buildtest.Files{}
		for _, name := range c.files {
			f[name] = "FROM scratch\n"
		}
		q := request(t, r, r.Commit("", f))
		var err error
		if q.Commit, err = q.Source.Folder(t.Context(), q.Commit, c.dir); err != nil {
			t.Fatal(err)
		}
		q.Dir = c.dir
		_, _, err = build.Builders{New(Config{})}.Choose(t.Context(), q)
		if want := "cannot build " + q.Commit.Short + ": " + c.want; err == nil || err.Error() != want {
			t.Errorf("%q:\n%v, want\n%s", c.files, err, want)
		}
	}
}
