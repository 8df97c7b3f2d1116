package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestReviewApp is what a CI job does for a pull request: it clones the app without a deploy,
// configures the clone, pushes another revision to it by force, and destroys it.
func TestReviewApp(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	main := a.Tip("main")
	review := &lab.App{Lab: l, Name: a.Name + "-review", Work: a.Work}
	over := func(words ...string) { // over ssh
		t.Helper()
		args := append([]string{l.Front.Dest, "--"}, words...)
		if out, code := l.Start(exec.Command(l.Front.SSH[0], append(slices.Clone(l.Front.SSH[1:]), args...)...)).Wait(); code != 0 {
			t.Fatalf("%v: exit code %d\n%s", words, code, out)
		}
	}
	for range 2 {
		over("apps:clone", "--skip-deploy", "--ignore-existing", a.Name, review.Name)
	}
	over("config:set", review.Name, "REVIEW=1")
	next := a.Commit(lab.Files{"change": "1\n"})
	a.Git("push", "--force", review.Remote(), next+":refs/heads/main")
	review.Serves(next)
	a.Serves(main)
	l.Dokku("apps:lock", review.Name)
	over("apps:unlock", review.Name)
	over("--force", "apps:destroy", review.Name)
	if _, code := l.Try("apps:exists", review.Name); code != 20 {
		t.Errorf("apps:exists of a destroyed app ends with %d", code)
	}
	a.Serves(main)
}

// TestBuildConfig: a file of nginx that somebody changed is written again, and nothing is
// restarted.
func TestBuildConfig(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	file := filepath.Join(l.Root, ".dokku", "nginx", "live", a.Name+".conf")
	want, err := os.ReadFile(file)
	lab.Must(t, err)
	before := a.Instances()["web.1"]
	for _, words := range [][]string{{"proxy:build-config", a.Name}, {"proxy:build-config", "--all"}} {
		lab.Must(t, os.WriteFile(file, append([]byte("# by hand\n"), want...), 0o600))
		l.Dokku(words...)
		if got, err := os.ReadFile(file); err != nil || strings.Contains(string(got), "by hand") {
			t.Errorf("%v leaves the file: %v\n%s", words, err, got)
		}
		a.Serves(a.Tip("main"))
	}
	if a.Instances()["web.1"] != before {
		t.Error("web.1 was replaced")
	}
}
