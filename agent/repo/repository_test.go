package repo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/agenttest"
	"dokku/agent/disk"
)

// gitIn runs the real git in dir.
func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, gitEnv(t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestRepositoryAsGitSeesIt(t *testing.T) {
	dir := newRepository(t)
	for key, want := range map[string]string{
		"core.bare": "true", "receive.shallowUpdate": "true", "receive.fsckObjects": "true", "receive.advertisePushOptions": "true",
		"receive.autogc": "false", "gc.auto": "0",
	} {
		if got := gitIn(t, dir, "config", "--local", key); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	if got := gitIn(t, dir, "rev-parse", "--show-object-format", "--is-bare-repository"); got != "sha1\ntrue" {
		t.Errorf("git takes the repository for %q", got)
	}
	if got := gitIn(t, dir, "symbolic-ref", "HEAD"); got != "refs/heads/main" {
		t.Errorf("HEAD is %s", got)
	}
	gitIn(t, dir, "fsck", "--strict")
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the repository has mode %v (%v), want 0700", fi.Mode(), err)
	}
}

func TestRepositoryIsMadeOnce(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "hello")
	// What a crash left, and a template that says something else.
	agenttest.Leave(t, root, ".hello.new/HEAD", ".hello.new/refs/heads/x")
	if err := Init(disk.Disk{}, dir, "/bin/true"); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(root)
	if len(entries) != 1 || len(present(dir, []string{"refs/heads/x"})) != 0 {
		t.Errorf("beside the repository lie %v", entries)
	}
	agenttest.Leave(t, dir, "refs/heads/mine")
	if err := Init(disk.Disk{}, dir, "/bin/false"); err != nil { // an upgrade moved the program
		t.Fatal(err)
	}
	for _, name := range HookNames {
		if target, err := os.Readlink(filepath.Join(dir, "hooks", name)); err != nil || target != "/bin/false" {
			t.Errorf("%s runs %q (%v)", name, target, err)
		}
	}
	if len(present(dir, []string{"refs/heads/mine"})) != 1 {
		t.Error("making the repository again has lost a ref")
	}
	os.Remove(filepath.Join(dir, "hooks", "pre-receive"))
	writeScript(t, filepath.Join(dir, "hooks", "pre-receive"), "exit 0")
	if err := Init(disk.Disk{}, dir, "/bin/true"); err == nil || !strings.Contains(err.Error(), "pre-receive") {
		t.Errorf("a hook of somebody else's is taken over: %v", err)
	}
	agenttest.Leave(t, root, "folder/file")
	if err := Init(disk.Disk{}, filepath.Join(root, "folder"), "/bin/true"); err == nil {
		t.Error("a folder with something in it is taken over")
	}
}

func TestSetHead(t *testing.T) {
	dir := newRepository(t)
	for _, branch := range []string{"master", "master", "feature/x"} {
		if err := SetHead(disk.Disk{}, dir, branch); err != nil {
			t.Fatal(err)
		}
		if got := gitIn(t, dir, "symbolic-ref", "HEAD"); got != "refs/heads/"+branch {
			t.Errorf("HEAD is %s, want %s", got, branch)
		}
	}
	for _, branch := range []string{"", "a..b", "a b", "x.lock", "a\nb", "/a"} {
		if err := SetHead(disk.Disk{}, dir, branch); err == nil {
			t.Errorf("%q can be a branch", branch)
		}
	}
	agenttest.Leave(t, dir, "HEAD.lock")
	if err := SetHead(disk.Disk{}, dir, "main"); err == nil || !strings.Contains(err.Error(), "HEAD.lock") {
		t.Errorf("a HEAD that git holds is changed: %v", err)
	}
}

func TestPackRepository(t *testing.T) {
	dir := newRepository(t)
	os.Remove(filepath.Join(dir, "hooks", "pre-receive"))
	work := filepath.Join(t.TempDir(), "work")
	gitIn(t, "/", "init", "-q", "-b", "main", work)
	for n := range PackLimit + 2 {
		gitIn(t, work, "commit", "-q", "--allow-empty", "-m", fmt.Sprint(n))
		gitIn(t, work, "push", "-q", dir, "main")
	}
	if n := Packs(dir); n <= PackLimit {
		t.Fatalf("%d pushes make %d packs", PackLimit+2, n)
	}
	if err := Pack(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	if n := Packs(dir); n > 2 {
		t.Errorf("there are still %d packs", n)
	}
	if got, want := gitIn(t, dir, "rev-parse", "main"), gitIn(t, work, "rev-parse", "main"); got != want {
		t.Errorf("main is %s, want %s", got, want)
	}
	if err := Pack(context.Background(), t.TempDir()); err == nil {
		t.Error("packing what is no repository succeeds")
	}
}
