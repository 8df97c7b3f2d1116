package repo

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/agenttest"
	"dokku/agent/proc"
)

func present(dir string, files []string) (found []string) {
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f)); err == nil {
			found = append(found, f)
		}
	}
	return found
}

func TestSweepRemovesWhatAKilledGitLeft(t *testing.T) {
	dir := newRepository(t)
	kept := []string{"refs/heads/main", "refs/heads/lock", "objects/pack/pack-1.pack", "objects/ab/cd", "packed-refs", "shallow", "HEAD"}
	agenttest.Leave(t, dir, kept...)
	agenttest.Leave(t, dir, agenttest.Litter...)
	if err := Sweep(dir, proc.Owner{}); err != nil {
		t.Fatal(err)
	}
	if left := present(dir, agenttest.Litter); left != nil {
		t.Errorf("%v are left", left)
	}
	if got := present(dir, kept); !slices.Equal(got, kept) {
		t.Errorf("of %v only %v are left", kept, got)
	}
}

// A push that waits for the app's lock has a quarantine too.
func TestSweepLeavesALivePushAlone(t *testing.T) {
	dir := newRepository(t)
	w := startPush(t, dir)
	agenttest.Leave(t, dir, agenttest.Litter...)
	if err := Sweep(dir, proc.Owner{}); err != nil {
		t.Fatal(err)
	}
	if got := present(dir, agenttest.Litter); !slices.Equal(got, agenttest.Litter) {
		t.Errorf("of %v only %v are left while a push is under way", agenttest.Litter, got)
	}

	own, err := proc.ReceivePackAbove(w.hook)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_QUARANTINE_PATH", w.quarantine)
	if err := Sweep(dir, own); err != nil {
		t.Fatal(err)
	}
	if left := present(dir, agenttest.Litter); left != nil {
		t.Errorf("the push itself does not remove %v", left)
	}
	w.reply("0")
	<-w.done
	if w.err != nil {
		t.Errorf("the push fails after a sweep: %v", w.err)
	}
}

// After kill -9 of git its quarantine and its lock stay; both go, and the next
// push is accepted.
func TestSweepAfterKill(t *testing.T) {
	dir := newRepository(t)
	w := startPush(t, dir)
	own, err := proc.ReceivePackAbove(w.hook)
	if err != nil {
		t.Fatal(err)
	}
	unix.Kill(own.PID, unix.SIGKILL)
	<-w.done
	agenttest.Leave(t, dir, "refs/heads/main.lock")
	if found, _ := filepath.Glob(filepath.Join(dir, "objects", "tmp_objdir-incoming-*")); len(found) == 0 {
		t.Fatal("a killed git leaves no quarantine: this test tests nothing")
	}
	w.reply("1")
	if err := Sweep(dir, proc.Owner{}); err != nil {
		t.Fatal(err)
	}
	if left, _ := Leftovers(dir); left != nil {
		t.Errorf("%v are left", left)
	}
	next := startPush(t, dir)
	next.reply("0")
	select {
	case <-next.done:
	case <-time.After(30 * time.Second):
		t.Fatal("the next push does not end")
	}
	if next.err != nil {
		t.Errorf("the next push fails: %v", next.err)
	}
}
