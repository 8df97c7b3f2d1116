package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// history is a repository with two revisions of an app.
type history struct {
	dir, one, two string
	url           string // of the repository, by http
	tar           string // the file of a tar of the repository
	// nested has the files of two, and one as its submodule; its pack has what two lacks.
	nested     string
	nestedPack pack
	pack       pack // of main
}

// fetch gives an app's repository the objects of main, as git fetch would, without
// starting git.
func (h history) fetch(t *testing.T, repo string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Join(repo, "objects", "pack"), 0o755))
	for name, data := range h.pack {
		check(t, os.WriteFile(filepath.Join(repo, "objects", name), data, 0o644))
	}
}

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
	h.pack = newPack(t, h, h.two)
	h.tar = filepath.Join(t.TempDir(), "old.tar")
	if out, err := exec.Command("tar", "-C", filepath.Join(h.dir, ".git"), "-cf", h.tar, "refs", "objects").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	h.url = serveHistory(t, h.dir)
	h.nested, h.nestedPack = newNested(t, h)
	return h
}

// newNested makes a commit on top of two that no branch ends at.
func newNested(t *testing.T, h history) (string, pack) {
	t.Helper()
	git(t, h.dir, "checkout", "-q", "--detach")
	put(t, filepath.Join(h.dir, ".gitmodules"), "[submodule \"lib\"]\n\tpath = lib\n\turl = "+h.url+"\n")
	git(t, h.dir, "add", ".gitmodules")
	git(t, h.dir, "update-index", "--add", "--cacheinfo", "160000,"+h.one+",lib")
	git(t, h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x")
	commit := git(t, h.dir, "rev-parse", "HEAD")
	git(t, h.dir, "checkout", "-q", "main")
	return commit, newPack(t, h, commit, h.two)
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
