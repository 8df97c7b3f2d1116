package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/e2e/fault"
	"dokku/agent/e2e/lab"
)

// TestFirstPush: the first push creates the app, which stays when the push fails after its
// validation.
func TestFirstPush(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Procfile": "web: /server -exit=1\n"})
	refused := a.Rejected(lab.Files{"DOKKU_SCALE": "web=many\n"})
	if lab.Exists(a.Dir()) || strings.Contains(refused, "is kept") {
		t.Errorf("the first push, which is refused before its build, leaves the app:\n%s", refused)
	}
	failed := a.Rejected(nil)
	lab.Contains(t, failed, "exit code 1", "Nothing has changed: "+a.Name+" has not been deployed yet",
		a.Name+" is kept: fix the cause and push again, or first set what it lacks, for example: ssh ", " config:set "+a.Name+" NAME=VALUE",
		"To remove it: ssh ", " apps:destroy "+a.Name+". It goes after 7 days if nothing is set or deployed")
	lab.Contains(t, l.Dokku("apps:list"), a.Name+"\n")
	lab.Contains(t, l.Dokku("ps:report", a.Name), "Deployed:                      false")
	lab.Contains(t, string(a.Read("dokku", "deploys", "1.log")), "exit code 1")
	l.Dokku("config:set", a.Name, "GREETING=hello")

	out := a.Push(lab.Files{"Procfile": ""})
	a.Runs("web.1")
	a.Serves(a.Tip("main"))
	lab.Contains(t, out, "-----> Set main as deploy-branch", "Releasing "+a.Name+" v1")

	clone := filepath.Join(l.Front.Home, "clone")
	a.Git("clone", "-q", a.Remote(), clone)
	if !lab.Exists(filepath.Join(clone, "Dockerfile")) {
		t.Errorf("a clone of the app is empty")
	}

	out = a.Pushing().Succeeds()
	lab.Contains(t, out, "Git sent nothing new: "+a.Name+" serves v1", "ps:rebuild", "Everything up-to-date")

	// One app, however its name is written, and the port that web is to listen on.
	for _, c := range []struct {
		url, end string // of the Dockerfile
		port     uint16
	}{
		{a.Remote() + ".git", "EXPOSE 7000/udp 7001 7002\nCMD [\"/server\"]\n", 7001},
		{l.Front.Dest + ":" + a.Name, "CMD [\"/server\"]\n", 5000},
		{l.Front.URL + a.Dir(), "ENTRYPOINT [\"/server\"]\nCMD [\"-say=by-entrypoint\"]\n", 5000},
	} {
		rev := a.Commit(lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\n" + c.end})
		out := a.Lab.Start(a.Client("push", c.url, "main")).Succeeds()
		if a.Tip("main") != rev {
			t.Errorf("a push to %s does not arrive:\n%s", c.url, out)
		}
		if up := a.Upstreams(); len(up) != 1 || up[0].Port() != c.port {
			t.Errorf("nginx passes requests to %v, want port %d", up, c.port)
		}
		a.Serves(rev)
	}
}

// TestCancelledFirstPush: the first push keeps the app when its client goes away during the
// build, and nothing else.
func TestCancelledFirstPush(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	for _, kill := range []unix.Signal{unix.SIGINT, unix.SIGKILL} {
		a := l.App(lab.Files{"Dockerfile": strings.ReplaceAll(slowBuild["Dockerfile"], "BASE", l.Tools.Base)})
		nothing := a.Everything()
		push := a.Pushing()
		push.Prints("building")
		push.Signal(kill)
		push.Fails()
		lab.WaitFor(t, "nothing is left of the push", func() bool { return a.Everything() == nothing && fault.Idle(a) })
		l.Dokku("config:set", a.Name, "GREETING=hello")
		a.Push(lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nCMD [\"/server\"]\n"})
		a.Serves(a.Tip("main"))
	}
}

// TestMasterIsAdopted: an app with the branch master deploys master, and its clones check it out.
func TestMasterIsAdopted(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(nil)
	a.Git("branch", "-m", "master")
	lab.Contains(t, a.Pushing("master").Succeeds(), "Set master as deploy-branch")
	a.Serves(a.Tip("master"))
	clone := filepath.Join(l.Front.Home, "clone")
	a.Git("clone", "-q", a.Remote(), clone)
	if !lab.Exists(filepath.Join(clone, "Dockerfile")) {
		t.Errorf("a clone of the app is empty")
	}
}

// TestRefs: some refs of a push deploy, and the output explains the others.
func TestRefs(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	first := a.Tip("main")

	t.Run("other branch", func(t *testing.T) {
		a := a.With(t)
		a.Git("checkout", "-q", "-b", "feature")
		rev := a.Commit(lab.Files{"version": "feature"})
		out := a.Pushing("feature").Succeeds()
		a.Serves(first)
		if a.Tip("feature") != rev {
			t.Errorf("the branch was not stored")
		}
		lab.Contains(t, out, " !     WARNING: deploy did not complete, you must push to main.",
			"-----> for example, try 'git push <dokku> feature:main'")
		a.Git("checkout", "-q", "main")
	})
	t.Run("tag", func(t *testing.T) {
		a := a.With(t)
		a.Git("tag", "v1")
		lab.Contains(t, a.Pushing("v1").Succeeds(), "WARNING: deploy did not complete", ":main'")
		a.Serves(first)
	})
	t.Run("several refs", func(t *testing.T) {
		a := a.With(t)
		rev := a.Commit(lab.Files{"version": "2"})
		a.Git("tag", "v2")
		out := a.Pushing("main", "v2", "HEAD:refs/heads/copy").Succeeds()
		a.Serves(rev)
		lab.Lacks(t, out, "WARNING")
		if a.Tip("copy") != rev {
			t.Errorf("the other branch was not stored:\n%s", out)
		}
	})
	t.Run("force push to an old revision", func(t *testing.T) {
		a := a.With(t)
		lab.Contains(t, a.Pushing(first+":main").Fails(), "rejected")
		a.Pushing("+" + first + ":refs/heads/main").Succeeds()
		a.Serves(first)
		if a.Tip("main") != first {
			t.Errorf("main is at %s, want %s", a.Tip("main"), first)
		}
	})
	t.Run("deletion of the deploy branch", func(t *testing.T) {
		a := a.With(t)
		out := a.Pushing(":main").Fails()
		a.Serves(first)
		lab.Contains(t, out, " !     ", "main", "apps:destroy "+a.Name)
	})
	t.Run("deletion of another branch", func(t *testing.T) {
		a := a.With(t)
		out := a.Pushing(":feature").Succeeds()
		lab.Lacks(t, out, "WARNING")
		a.Serves(first)
	})
	t.Run("a tag on the deploy branch", func(t *testing.T) {
		a := a.With(t)
		a.Git("tag", "-a", "-m", "annotated", "v3", "main")
		a.Commit(lab.Files{"version": "3"})
		before := a.Everything()
		a.Pushing("+v3:refs/heads/main").Fails()
		if after := a.Everything(); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}

// TestShallowClone: a shallow clone, as CI services use it, can push.
func TestShallowClone(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(nil)
	for i := range 3 {
		a.Commit(lab.Files{"version": strings.Repeat("x", i+1)})
	}
	shallow := filepath.Join(l.Front.Home, "shallow")
	a.Git("clone", "-q", "--depth", "1", "file://"+a.Work, shallow)
	a.Work = shallow
	out := a.Push(nil)
	a.Serves(a.Tip("main"))
	lab.Lacks(t, out, "shallow update not allowed")
	a.Push(lab.Files{"version": "again"})
	a.Serves(a.Tip("main"))
}

// TestStoppedApp: settings of a stopped app are stored, and a push starts it.
func TestStoppedApp(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	if out := l.Dokku("ps:stop", a.Name); out != "-----> Stopping "+a.Name+" ...\n" {
		t.Errorf("ps:stop prints %q", out)
	}
	if n := len(a.Instances()); n != 0 {
		t.Errorf("%d processes run in a stopped app", n)
	}
	if status, body := a.Get("/"); status != 503 {
		t.Errorf("a stopped app answers %d %q, want 503", status, body)
	}
	if out := l.Dokku("ps:stop", a.Name); out != "-----> App "+a.Name+" already stopped\n" {
		t.Errorf("ps:stop prints %q the second time", out)
	}
	l.Dokku("ps:scale", a.Name, "web=2")
	l.Dokku("config:set", a.Name, "GREETING=hello")
	if n := len(a.Instances()); n != 0 {
		t.Errorf("%d processes run in an app that is still stopped", n)
	}
	lab.Contains(t, a.Pushing().Succeeds(), a.Name+" is stopped", "ps:start")
	a.Push(lab.Files{"version": "2"})
	a.Runs("web.1", "web.2")
	a.Serves(a.Tip("main"))
	if _, body := a.Get("/"); !strings.HasSuffix(body, " hello\n") {
		t.Errorf("the stored config is not used: %q", body)
	}
	if out := l.Dokku("ps:start", a.Name); out != "-----> App "+a.Name+" already running\n" {
		t.Errorf("ps:start prints %q of an app that runs", out)
	}
	l.Dokku("ps:stop", a.Name)
	l.Dokku("ps:start", a.Name)
	a.Runs("web.1", "web.2")
	a.Serves(a.Tip("main"))
}

// TestTwoPushesAtOnce: of two parallel pushes one deploys, and the other fails with the reason.
func TestTwoPushesAtOnce(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	base := a.Tip("main")
	winner := a.Commit(lab.Files{"version": "winner"})
	arrived, release := l.Hold(lab.BeforeCommit)
	first := a.Pushing()
	arrived()
	a.Git("reset", "-q", "--hard", base)
	a.Commit(lab.Files{"version": "loser"})
	second := a.Pushing()
	second.Prints("s push of " + winner[:7] + " (deploy 2) is under way for ")
	release()
	out := second.Fails()
	first.Succeeds()
	a.Serves(winner)
	if a.Tip("main") != winner {
		t.Errorf("main is at %s, want the first push's %s", a.Tip("main"), winner)
	}
	lab.Contains(t, out, "main moved while this push waited; fetch and push again")
	lab.Lacks(t, out, "Building")
}

// The deploy branch can be chosen.
func TestDeployBranch(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	first := a.Tip("main")
	l.Dokku("git:set", a.Name, "deploy-branch", "release")
	a.Commit(lab.Files{"version": "2"})
	lab.Contains(t, a.Pushing("main").Succeeds(), "WARNING: deploy did not complete, you must push to release.")
	a.Serves(first)
	out := a.Pushing("main:release").Succeeds()
	a.Serves(a.Tip("release"))
	lab.Lacks(t, out, "WARNING")
	clone := filepath.Join(l.Front.Home, "clone")
	a.Git("clone", "-q", a.Remote(), clone)
	if head, _ := os.ReadFile(filepath.Join(clone, ".git", "HEAD")); string(head) != "ref: refs/heads/release\n" {
		t.Errorf("a clone has %q", head)
	}
}

// Where apps are not made by pushes, a push says how to make one.
func TestNoAutoCreation(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"no_auto_create": true})
	a := l.App(nil)
	lab.Contains(t, a.Rejected(nil), " !     App auto-creation disabled.\n", "apps:create "+a.Name)
	if lab.Exists(a.Dir()) {
		t.Error("the app was created")
	}
	l.Dokku("apps:create", a.Name)
	a.Push(nil)
	a.Serves(a.Tip("main"))
}
