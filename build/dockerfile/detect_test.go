package dockerfile

import (
	"strings"
	"testing"

	"dokku/build/buildtest"
	"dokku/build/source"
)

func TestDetect(t *testing.T) {
	r := buildtest.NewRepo(t)
	rev := r.Commit("", buildtest.Files{"Dockerfile": "FROM scratch\n", "deploy/web.dockerfile": "FROM scratch\n"})
	none := r.Commit("", buildtest.Files{"index.html": "x"})
	lower := r.Commit("", buildtest.Files{"dockerfile": "FROM scratch\n"})
	for _, c := range []struct{ rev, setting, path, err string }{
		{rev, "", "Dockerfile", ""},
		{rev, "./deploy/web.dockerfile", "deploy/web.dockerfile", ""},
		{rev, "../x", "", "not a path inside the repository"},
		{rev, "/etc/passwd", "", "not a path inside the repository"},
		{rev, "x/Dockerfile", "", "has no x/Dockerfile, which the app's dockerfile-path names"},
		{none, "", "", "it has no Dockerfile in its root; add one and push again"},
		{lower, "", "", "it has no Dockerfile but dockerfile; rename that and push again"},
	} {
		s, err := source.Open(source.Options{GitDir: r.Dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		commit, err := s.Commit(c.rev)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Detect(s, commit, c.setting)
		if b.Path != c.path || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%.7s %q: %+v, %v", c.rev, c.setting, b, err)
		}
	}
}
