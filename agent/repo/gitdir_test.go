package repo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// git runs git as a build would, in a folder.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %s\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// history makes a repository with three commits, of which v1 is the second.
func history(t *testing.T) (work, tip string) {
	work = t.TempDir()
	git(t, work, "init", "-q", "-b", "main")
	for _, n := range []string{"1", "2", "3"} {
		if err := os.WriteFile(filepath.Join(work, "file"), []byte(n), 0o600); err != nil {
			t.Fatal(err)
		}
		git(t, work, "add", "-A")
		git(t, work, "commit", "-qm", "commit "+n)
		if n == "2" {
			git(t, work, "tag", "-a", "-m", "one", "v1")
		}
	}
	return work, git(t, work, "rev-parse", "HEAD")
}

// checkedOut makes the work tree of a .git folder.
func checkedOut(t *testing.T, r Revision) string {
	t.Helper()
	dir := t.TempDir()
	if err := WriteGitDir(t.Context(), filepath.Join(dir, ".git"), r); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "checkout-index", "-a")
	return dir
}

func TestGitDirIsARepository(t *testing.T) {
	work, tip := history(t)
	// The variables of a hook are not meant.
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_QUARANTINE_PATH", "/nowhere")
	r := Revision{Dir: filepath.Join(work, ".git"), Commit: tip, Branch: "feature/x"}
	dir := t.TempDir()
	if err := WriteGitDir(t.Context(), filepath.Join(dir, ".git"), r); err != nil {
		t.Fatal(err)
	}
	os.Unsetenv("GIT_DIR")
	os.Unsetenv("GIT_QUARANTINE_PATH")
	git(t, dir, "checkout-index", "-a")
	for _, test := range []struct{ command, want string }{
		{"rev-parse HEAD", tip},
		{"rev-parse --abbrev-ref HEAD", "feature/x"},
		{"status --porcelain", ""},
		{"describe", "v1-1-g" + tip[:7]},
		{"log --format=%s", "commit 3\ncommit 2\ncommit 1"},
		{"fsck --strict", ""},
		{"remote", ""},
	} {
		if got := git(t, dir, strings.Fields(test.command)...); got != test.want {
			t.Errorf("git %s: %q, want %q", test.command, got, test.want)
		}
	}
}

// TestGitDirOfAPush: the commit lies in git's quarantine, and not in the repository.
func TestGitDirOfAPush(t *testing.T) {
	work, tip := history(t)
	bare := filepath.Join(t.TempDir(), "bare")
	git(t, work, "clone", "-q", "--bare", work, bare)
	git(t, work, "commit", "-qm", "commit 4", "--allow-empty")
	pushed := git(t, work, "rev-parse", "HEAD")
	r := Revision{Dir: bare, Objects: filepath.Join(work, ".git/objects"), Alternates: filepath.Join(bare, "objects"), Commit: pushed, Branch: "main"}
	if got := git(t, checkedOut(t, r), "log", "--format=%H", "-2"); got != pushed+"\n"+tip {
		t.Errorf("the history is %s", got)
	}
}

func TestGitDirOfAShallowClone(t *testing.T) {
	work, tip := history(t)
	bare := filepath.Join(t.TempDir(), "bare")
	git(t, work, "clone", "-q", "--bare", "--depth=1", "--no-tags", "file://"+work, bare)
	r := Revision{Dir: bare, Commit: tip, Branch: "main", Shallow: []string{tip}}
	if got := git(t, checkedOut(t, r), "log", "--format=%s"); got != "commit 3" {
		t.Errorf("the history is %s", got)
	}
	r.Shallow = nil
	if err := os.Remove(filepath.Join(bare, "shallow")); err != nil {
		t.Fatal(err)
	}
	if err := WriteGitDir(t.Context(), filepath.Join(t.TempDir(), "git"), r); err == nil || !strings.HasPrefix(err.Error(), "git: ") {
		t.Errorf("a history with a hole is packed: %v", err)
	}
}
