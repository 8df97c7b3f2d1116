package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
)

// TestDetach: with -o detach the client returns while the app still starts, and the branch
// moves when the checks have passed. What fails after that is told by the deploy's record,
// its log and an event, and changes nothing.
func TestDetach(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"checks": map[string]string{"default-wait": "1", "wait-to-retire": "1"}})
	l.StartAgent()
	a := l.Deployed(lab.Files{"Procfile": "web: /server -warm-up=4s\n", "CHECKS": "WAIT=1\nATTEMPTS=20\n/\n"})
	one := a.Tip("main")

	// The revision is judged before the client goes, with a push's own messages.
	a.Commit(lab.Files{"DOKKU_SCALE": "web: 1\n"})
	lab.Contains(t, a.Pushing("-o", "detach", "main").Fails(), "DOKKU_SCALE", "web: 1")
	a.Git("reset", "-q", "--hard", one)
	if got := l.Dokku("deploys", a.Name, "--format", "json"); strings.Count(got, `"number"`) != 1 {
		t.Errorf("a refused revision has a deploy: %s", got)
	}

	two := a.Commit(lab.Files{"version": "2\n"})
	out := a.Pushing("-o", "detach", "-o", "message=Go on", "main").Fails()
	lab.Contains(t, out, "deploy 2 goes on: ", "deploys:log "+a.Name+" 2 -t", "the branch moves when the deploy has passed its checks")
	lab.Lacks(t, out, "Building", "Deploying")
	if tip := a.Tip("main"); tip != one {
		t.Errorf("main is at %s when the client returns", tip)
	}
	a.Serves(one)

	// A second one waits for the first, and can be cancelled there.
	a.Commit(lab.Files{"version": "3\n"})
	lab.Contains(t, a.Pushing("-o", "detach", "main").Fails(), "deploy 3 goes on: ")
	lab.Contains(t, l.Dokku("deploys", a.Name), "waiting")
	lab.Contains(t, l.Dokku("deploys:cancel", a.Name, "3"), "Cancelled ", "(deploy 3)")
	a.Git("reset", "-q", "--hard", two)

	// A third one follows the first: both are wanted.
	four := a.Commit(lab.Files{"version": "4\n"})
	lab.Contains(t, a.Pushing("-o", "detach", "main").Fails(), "deploy 4 goes on: ")

	lab.Contains(t, l.Dokku("deploys:log", a.Name, "2", "-t"), "-----> Building "+a.Name, "=====> Application deployed in ")
	lab.Contains(t, l.Dokku("deploys:log", a.Name, "4", "-t"), "=====> Application deployed in ")
	if tip := a.Tip("main"); tip != four {
		t.Errorf("main is at %s, want %s", tip, four)
	}
	a.Serves(four)
	a.Rests()
	list := l.Dokku("deploys", a.Name, "--format", "json")
	lab.Contains(t, list, `"number":2,"state":"deployed"`, `"message":"Go on","release":2`, `"number":3,"state":"cancelled"`, `"number":4,"state":"deployed"`)
	lab.Contains(t, a.Push(nil), "Everything up-to-date")

	// It fails its checks when nobody looks.
	a.Commit(lab.Files{"CHECKS": "WAIT=1\nATTEMPTS=1\n/ never\n", "Procfile": "web: /server\n"})
	lab.Contains(t, a.Pushing("-o", "detach", "main").Fails(), "deploy 5 goes on: ")
	log, code := l.OverSSH("deploys:log " + a.Name + " 5 -t")
	if lab.Contains(t, log, "Could not start due to 1 failed checks", "Nothing has changed: v3"); code != 1 {
		t.Errorf("following a rejected deploy ends with %d", code)
	}
	lab.Contains(t, l.Dokku("events", a.Name), "reject")
	a.Git("reset", "-q", "--hard", four)
	a.Rests()
	a.Serves(four)
}

// TestDetachedFirstPush: an app that a detached push makes is kept, also from a shallow
// clone.
func TestDetachedFirstPush(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"version": "1\n"})
	a.Commit(nil)
	shallow := t.TempDir()
	a.Git("clone", "-q", "--depth=1", "file://"+a.Work, shallow)
	a.Work = shallow
	rev := a.Git("rev-parse", "HEAD")
	lab.Contains(t, a.Pushing("-o", "detach", "main").Fails(), "deploy 1 goes on: ")
	lab.Contains(t, l.Dokku("deploys:log", a.Name, "1", "-t"), "Application deployed")
	if tip := a.Tip("main"); tip != rev {
		t.Errorf("main is at %s, want %s", tip, rev)
	}
	a.Serves(rev)
	nothingStaged(l)
}

// TestKilledDetached: a detached deploy survives its client and the ssh session, and one
// whose own processes are killed changes nothing and says that it was interrupted.
func TestKilledDetached(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"checks": map[string]string{"default-wait": "1", "wait-to-retire": "1"}})
	l.StartAgent()
	a := l.Deployed(lab.Files{"Procfile": "web: /server -warm-up=3s\n", "CHECKS": "WAIT=1\nATTEMPTS=20\n/\n"})
	one := a.Tip("main")
	for _, victim := range []string{"detached-push", "receive-pack"} {
		before := a.Everything()
		a.Commit(lab.Files{"version": victim})
		a.Pushing("-o", "detach", "main").Fails()
		lab.WaitFor(t, "its deploy runs", func() bool {
			return strings.Contains(l.Dokku("deploys", a.Name), "running")
		})
		pids := l.Processes(victim)
		if len(pids) == 0 {
			t.Fatalf("there is no process %s", victim)
		}
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGKILL)
		}
		lab.WaitFor(t, "its deploy has ended", func() bool {
			return !strings.Contains(l.Dokku("deploys", a.Name), "running")
		})
		a.Git("reset", "-q", "--hard", one)
		a.Rests()
		if after := a.Everything(); after != before {
			t.Errorf("a killed %s changes something. Before:\n%s\nafter:\n%s", victim, before, after)
		}
		if list := l.Dokku("deploys", a.Name); strings.Count(list, "deployed") != 1 {
			t.Errorf("after the kill of %s:\n%s", victim, list)
		}
		a.Serves(one)
	}
	nothingStaged(l) // the second push has removed the folder of the first
}

// nothingStaged waits until no folder of a detached push is left.
func nothingStaged(l *lab.Lab) {
	lab.WaitFor(l.T, "the folders of detached pushes are gone", func() bool {
		left, _ := filepath.Glob(filepath.Join(l.Root, ".dokku", "detached-*"))
		return len(left) == 0
	})
}
