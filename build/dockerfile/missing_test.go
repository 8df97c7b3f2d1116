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
		files []string
		want  string
	}{
		{[]string{"backend/Dockerfile"}, begin + "backend/Dockerfile; to build that one: ln -s backend/Dockerfile Dockerfile && git add Dockerfile, commit and push again" +
			" (COPY then starts at the root; to push backend alone: git push <dokku> $(git subtree split -P backend):<branch>)"},
		{[]string{"Dockerfile.prod"}, begin + "Dockerfile.prod; to build that one: ln -s Dockerfile.prod Dockerfile && git add Dockerfile, commit and push again"},
		{[]string{"a/b/Dockerfile", "c/web.dockerfile", "z-Dockerfile.md", "Containerfile"},
			begin + "Containerfile, c/web.dockerfile, a/b/Dockerfile; to build Containerfile: ln -s Containerfile Dockerfile && git add Dockerfile, commit and push again"},
		{[]string{"dockerfile-a", "Dockerfile_b", "Dockerfile.c", "Dockerfile.d", "Dockerfile.e"},
			begin + "Dockerfile.c, Dockerfile.d, Dockerfile.e and 2 more; to build Dockerfile.c: ln -s Dockerfile.c Dockerfile && git add Dockerfile, commit and push again"},
		{[]string{"node_modules/x/Dockerfile", "web/vendor/x/Dockerfile", "Dockerfile.dockerignore", "docs/Dockerfiles", "dockerfilex"},
			"it has no Dockerfile in its root; add one and push again (buildpacks are not supported yet)"},
	} {
		f := buildtest.Files{}
		for _, name := range c.files {
			f[name] = "FROM scratch\n"
		}
		q := request(t, r, r.Commit("", f))
		_, _, err := build.Builders{New(Config{})}.Choose(t.Context(), q)
		if want := "cannot build " + q.Commit.Short + ": " + c.want; err == nil || err.Error() != want {
			t.Errorf("%q:\n%v, want\n%s", c.files, err, want)
		}
	}
}
