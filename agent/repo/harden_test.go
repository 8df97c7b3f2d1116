package repo

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	return countFlushes(t, text)
}

// countFlushes counts the hardware flushes in git's trace. Git up to 2.39 writes them as
// data, later ones as a counter.
func countFlushes(t *testing.T, trace []byte) (n int) {
	t.Helper()
	for line := range bytes.Lines(trace) {
		var e struct {
			Event, Category, Key, Name string
			Value                      json.RawMessage
			Count                      int
		}
		if err := json.Unmarshal(line, &e); err != nil || e.Category != "fsync" {
			continue
		}
		switch {
		case e.Event == "counter" && e.Name == "hardware-flush":
			n += e.Count
		case e.Key == "fsync/hardware-flush":
			count, err := strconv.Atoi(strings.Trim(string(e.Value), `"`))
			must(t, err)
			n += count
		}
	}
	return n
}

// TestCountFlushes has lines of git 2.39 and 2.47.
func TestCountFlushes(t *testing.T) {
	for trace, want := range map[string]int{
		`{"event":"data","sid":"1/2","thread":"main","nesting":1,"category":"fsync","key":"fsync/writeout-only","value":"9"}
{"event":"data","sid":"1/2","thread":"main","nesting":1,"category":"fsync","key":"fsync/hardware-flush","value":"3"}
`: 3,
		`{"event":"counter","sid":"1/2","thread":"main","category":"fsync","name":"writeout-only","count":9}
{"event":"counter","sid":"1/2","thread":"main","category":"fsync","name":"hardware-flush","count":2}
{"event":"counter","sid":"1/3","thread":"main","category":"fsync","name":"hardware-flush","count":2}
`: 4,
		`{"event":"version","evt":"3","exe":"2.47.3"}
`: 0,
	} {
		if got := countFlushes(t, []byte(trace)); got != want {
			t.Errorf("%d, want %d in\n%s", got, want, trace)
		}
	}
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
