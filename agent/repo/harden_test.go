package repo

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/agenttest"
	"dokku/agent/disk"
)

// flushes pushes to a repository and returns how many files git has synced there.
func flushes(t *testing.T, dir string) (n int) {
	t.Helper()
	for _, hook := range HookNames {
		os.Remove(filepath.Join(dir, "hooks", hook))
	}
	work, trace := filepath.Join(t.TempDir(), "work"), filepath.Join(t.TempDir(), "trace")
	gitIn(t, "/", "init", "-q", "-b", "main", work)
	agenttest.Leave(t, work, "a", "b")
	gitIn(t, work, "add", "-A")
	gitIn(t, work, "commit", "-q", "-m", "one")
	cmd := exec.Command("git", "push", "-q", dir, "main")
	cmd.Dir, cmd.Env = work, append(gitEnv(t.TempDir()), "GIT_TRACE2_EVENT="+trace)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git push: %v\n%s", err, out)
	}
	text, err := os.ReadFile(trace)
	must(t, err)
	for line := range bytes.Lines(text) {
		var e struct{ Category, Key, Value string }
		if json.Unmarshal(line, &e); e.Category == "fsync" && e.Key == "fsync/hardware-flush" {
			var count int
			must(t, json.Unmarshal([]byte(e.Value), &count))
			n += count
		}
	}
	return n
}

// TestGitSyncs: git syncs the pack, its index and the ref of a push, and no more
// files than that come of it.
func TestGitSyncs(t *testing.T) {
	dir := newRepository(t)
	version := gitIn(t, "/", "version")
	counts := !strings.Contains(version, " 2.34.") // which tells nothing
	if n := flushes(t, dir); counts && n < 3 {
		t.Errorf("git has synced %d files: %s", n, version)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "objects"))
	if must(t, err); len(entries) != 2 {
		t.Errorf("objects has %v, want info and pack", entries)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	gitIn(t, "/", "init", "-q", "--bare", plain)
	if n := flushes(t, plain); n > 0 {
		t.Errorf("git syncs %d files by itself: is the configuration needed?", n)
	}
	// What an older version has made gets the same.
	must(t, os.WriteFile(filepath.Join(plain, "config"), []byte("[core]\n\tbare = true"), 0o600))
	must(t, Harden(disk.Disk{}, plain, false))
	gitIn(t, plain, "update-ref", "-d", "refs/heads/main")
	if n := flushes(t, plain); counts && n < 3 {
		t.Errorf("after harden git has synced %d files", n)
	}
}

// TestHarden leaves alone what an administrator has set, unless told to.
func TestHarden(t *testing.T) {
	dir := newRepository(t)
	before, err := os.ReadFile(filepath.Join(dir, "config"))
	must(t, err)
	for range 2 {
		must(t, Harden(disk.Disk{}, dir, true))
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "config")); !bytes.Equal(before, after) {
		t.Errorf("what lacks nothing is changed:\n%s", after)
	}
	gitIn(t, dir, "config", "core.fsync", "none")
	gitIn(t, dir, "config", "--unset", "receive.unpackLimit")
	must(t, Harden(disk.Disk{}, dir, false))
	if got := gitIn(t, dir, "config", "core.fsync") + gitIn(t, dir, "config", "receive.unpackLimit"); got != "none1" {
		t.Errorf("got %q", got)
	}
	must(t, Harden(disk.Disk{}, dir, true))
	if got := gitIn(t, dir, "config", "core.fsync"); got != "committed,reference" {
		t.Errorf("core.fsync is %q", got)
	}
	agenttest.Leave(t, dir, "config.lock")
	gitIn(t, dir, "config", "-f", filepath.Join(dir, "other"), "a.b", "c")
	os.Rename(filepath.Join(dir, "other"), filepath.Join(dir, "config"))
	if err := Harden(disk.Disk{}, dir, false); err == nil || !strings.Contains(err.Error(), "config.lock") {
		t.Errorf("a configuration that git holds is changed: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
