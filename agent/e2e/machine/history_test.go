package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// history is a repository with two revisions of an app.
type history struct{ dir, one, two string }

func newHistory(t *testing.T) history {
	t.Helper()
	h := history{dir: t.TempDir()}
	git(t, h.dir, "init", "-q", "-b", "main")
	commit := func(files map[string]string) string {
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git(t, h.dir, "add", "-A")
		git(t, h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x")
		return git(t, h.dir, "rev-parse", "HEAD")
	}
	h.one = commit(map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\nworker: work\nrelease: migrate\n",
		"app.json": `{"scripts": {"dokku": {"predeploy": "prepare", "postdeploy": "tell"}}}`})
	h.two = commit(map[string]string{"Dockerfile": "FROM scratch\n#\n"})
	return h
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
