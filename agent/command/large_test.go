package command_test

import (
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/cgroup/cgrouptest"
)

var largePush = flag.Int64("large.size", 200, "megabytes of the repository that TestLargeRepository pushes and clones; it takes four times as much of the disk")

// TestLargeRepository: no limit is in the way of an honest repository that is large, with files
// that cannot be compressed and with small ones. It is pushed and cloned by gits in a cgroup, and no
// process of ours holds more than 150 MB.
func TestLargeRepository(t *testing.T) {
	root, work, bin := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "dokku")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "dokku").CombinedOutput(); err != nil {
		t.Fatalf("cannot build dokku: %s\n%s", err, out)
	}
	if err := writeJSON(filepath.Join(root, ".dokku", "server.json"), app.Settings{Version: 1, Docker: "unix://" + emptyEngine(t), Cgroup: cgrouptest.Tree(t)}); err != nil {
		t.Fatal(err)
	}
	// The client's ssh: sshd would give the command in this variable.
	ssh := filepath.Join(t.TempDir(), "ssh")
	if err := os.WriteFile(ssh, []byte("#!/bin/sh\nfor last; do :; done\nSSH_ORIGINAL_COMMAND=$last exec "+bin+" shell alice\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	git := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DOKKU_ROOT="+root, "GIT_SSH="+ssh, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		var err error
		var out []byte
		began := time.Now()
		for command, peak := range peakOf(bin, os.Getpid(), func() { out, err = cmd.CombinedOutput() }) {
			if peak > mostMemory {
				t.Errorf("git %s: %s held %d MB", args[0], command, peak>>20)
			}
		}
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		t.Logf("git %s took %s", args[0], time.Since(began).Round(time.Second))
	}
	git(work, "init", "-q", "-b", "large")
	for n := range max(*largePush/100, 1) {
		f, err := os.Create(filepath.Join(work, fmt.Sprintf("large-%d", n)))
		if err == nil {
			_, err = io.CopyN(f, rand.Reader, min(*largePush, 100)<<20)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5000 {
		if err := os.WriteFile(filepath.Join(work, fmt.Sprintf("small-%d", n)), fmt.Append(nil, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git(work, "add", "-A")
	git(work, "commit", "-q", "-m", "large")
	git(work, "push", "-q", "ssh://dokku@server/hello", "large:refs/heads/large")
	git(work, "clone", "-q", "-b", "large", "ssh://dokku@server/hello", filepath.Join(work, "clone"))
	if out, err := exec.CommandContext(t.Context(), "cmp", filepath.Join(work, "large-0"), filepath.Join(work, "clone", "large-0")).CombinedOutput(); err != nil {
		t.Errorf("the clone has another file: %v\n%s", err, out)
	}
}
