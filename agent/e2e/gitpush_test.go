package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first push makes the app; one of which nothing is accepted leaves none.
func TestFirstPush(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.app(files{"Procfile": "web: /server -exit=1\n"})
	out := a.rejected(nil)
	if exists(a.dir()) {
		t.Errorf("the rejected first push leaves the app %s", a.dir())
	}
	contains(t, out, "exit code 1")

	out = a.push(files{"Procfile": ""})
	a.runs("web.1")
	a.serves(a.tip("main"))
	contains(t, out, "-----> Set main as deploy-branch", "Releasing "+a.name+" v1")

	clone := filepath.Join(l.front.home, "clone")
	a.git("clone", "-q", a.remote(), clone)
	if !exists(filepath.Join(clone, "Dockerfile")) {
		t.Errorf("a clone of the app is empty")
	}

	out = a.pushing().succeeds()
	contains(t, out, "Nothing new was pushed: "+a.name+" serves v1", "ps:rebuild", "Everything up-to-date")

	// One app, however its name is written; and the port that web is to listen on.
	for _, c := range []struct {
		url, end string // of the Dockerfile
		port     uint16
	}{
		{a.remote() + ".git", "EXPOSE 7000/udp 7001 7002\nCMD [\"/server\"]\n", 7001},
		{l.front.dest + ":" + a.name, "CMD [\"/server\"]\n", 5000},
		{l.front.url + a.dir(), "ENTRYPOINT [\"/server\"]\nCMD [\"-say=by-entrypoint\"]\n", 5000},
	} {
		rev := a.commit(files{"Dockerfile": "FROM " + l.tools.base + "\nCOPY . /app/\n" + c.end})
		out := a.start(a.client("push", c.url, "main")).succeeds()
		if a.tip("main") != rev {
			t.Errorf("a push to %s does not arrive:\n%s", c.url, out)
		}
		if up := a.upstreams(); len(up) != 1 || up[0].Port() != c.port {
			t.Errorf("nginx passes requests to %v, want port %d", up, c.port)
		}
		a.serves(rev)
	}
}

// An app of a master branch deploys that, and its clones have it.
func TestMasterIsAdopted(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.app(nil)
	a.git("branch", "-m", "master")
	contains(t, a.pushing("master").succeeds(), "Set master as deploy-branch")
	a.serves(a.tip("master"))
	clone := filepath.Join(l.front.home, "clone")
	a.git("clone", "-q", a.remote(), clone)
	if !exists(filepath.Join(clone, "Dockerfile")) {
		t.Errorf("a clone of the app is empty")
	}
}

// Which refs of a push deploy, and what is said about the others.
func TestRefs(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	first := a.tip("main")

	t.Run("other branch", func(t *testing.T) {
		a := a.with(t)
		a.git("checkout", "-q", "-b", "feature")
		rev := a.commit(files{"version": "feature"})
		out := a.pushing("feature").succeeds()
		a.serves(first)
		if a.tip("feature") != rev {
			t.Errorf("the branch was not stored")
		}
		contains(t, out, " !     WARNING: deploy did not complete, you must push to main.",
			"-----> for example, try 'git push <dokku> feature:main'")
		a.git("checkout", "-q", "main")
	})
	t.Run("tag", func(t *testing.T) {
		a := a.with(t)
		a.git("tag", "v1")
		contains(t, a.pushing("v1").succeeds(), "WARNING: deploy did not complete", ":main'")
		a.serves(first)
	})
	t.Run("several refs", func(t *testing.T) {
		a := a.with(t)
		rev := a.commit(files{"version": "2"})
		a.git("tag", "v2")
		out := a.pushing("main", "v2", "HEAD:refs/heads/copy").succeeds()
		a.serves(rev)
		lacks(t, out, "WARNING")
		if a.tip("copy") != rev {
			t.Errorf("the other branch was not stored:\n%s", out)
		}
	})
	t.Run("force push to an old revision", func(t *testing.T) {
		a := a.with(t)
		contains(t, a.pushing(first+":main").fails(), "rejected")
		a.pushing("+" + first + ":refs/heads/main").succeeds()
		a.serves(first)
		if a.tip("main") != first {
			t.Errorf("main is at %s, want %s", a.tip("main"), first)
		}
	})
	t.Run("deletion of the deploy branch", func(t *testing.T) {
		a := a.with(t)
		out := a.pushing(":main").fails()
		a.serves(first)
		contains(t, out, " !     ", "main", "apps:destroy "+a.name)
	})
	t.Run("deletion of another branch", func(t *testing.T) {
		a := a.with(t)
		out := a.pushing(":feature").succeeds()
		lacks(t, out, "WARNING")
		a.serves(first)
	})
	t.Run("a tag on the deploy branch", func(t *testing.T) {
		a := a.with(t)
		a.git("tag", "-a", "-m", "annotated", "v3", "main")
		a.commit(files{"version": "3"})
		before := a.everything()
		a.pushing("+v3:refs/heads/main").fails()
		if after := a.everything(); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}

// A shallow clone, which is what CI services have, can push.
func TestShallowClone(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.app(nil)
	for i := range 3 {
		a.commit(files{"version": strings.Repeat("x", i+1)})
	}
	shallow := filepath.Join(l.front.home, "shallow")
	a.git("clone", "-q", "--depth", "1", "file://"+a.work, shallow)
	a.work = shallow
	out := a.push(nil)
	a.serves(a.tip("main"))
	lacks(t, out, "shallow update not allowed")
	a.push(files{"version": "again"})
	a.serves(a.tip("main"))
}

// What is asked of a stopped app is stored, and a push starts it.
func TestStoppedApp(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	if out := l.dokku("ps:stop", a.name); out != "-----> Stopping "+a.name+" ...\n" {
		t.Errorf("ps:stop prints %q", out)
	}
	if n := len(a.instances()); n != 0 {
		t.Errorf("%d processes run in a stopped app", n)
	}
	if status, body := a.get("/"); status != 502 {
		t.Errorf("a stopped app answers %d %q, want 502", status, body)
	}
	if out := l.dokku("ps:stop", a.name); out != "-----> App "+a.name+" already stopped\n" {
		t.Errorf("ps:stop prints %q the second time", out)
	}
	l.dokku("ps:scale", a.name, "web=2")
	l.dokku("config:set", a.name, "GREETING=hello")
	if n := len(a.instances()); n != 0 {
		t.Errorf("%d processes run in an app that is still stopped", n)
	}
	contains(t, a.pushing().succeeds(), a.name+" is stopped", "ps:start")
	a.push(files{"version": "2"})
	a.runs("web.1", "web.2")
	a.serves(a.tip("main"))
	if _, body := a.get("/"); !strings.HasSuffix(body, " hello\n") {
		t.Errorf("the stored config is not used: %q", body)
	}
	if out := l.dokku("ps:start", a.name); out != "-----> App "+a.name+" already running\n" {
		t.Errorf("ps:start prints %q of an app that runs", out)
	}
	l.dokku("ps:stop", a.name)
	l.dokku("ps:start", a.name)
	a.runs("web.1", "web.2")
	a.serves(a.tip("main"))
}

// Of two pushes at once one deploys, and the other one is told why it did not.
func TestTwoPushesAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	base := a.tip("main")
	winner := a.commit(files{"version": "winner"})
	arrived, release := l.hold(beforeCommit)
	first := a.pushing()
	arrived()
	a.git("reset", "-q", "--hard", base)
	a.commit(files{"version": "loser"})
	second := a.pushing()
	second.prints("Waiting for " + a.name + ": it is busy with a push")
	release()
	out := second.fails()
	first.succeeds()
	a.serves(winner)
	if a.tip("main") != winner {
		t.Errorf("main is at %s, want the first push's %s", a.tip("main"), winner)
	}
	contains(t, out, "main moved while this push waited; fetch and push again")
	lacks(t, out, "Building")
}

// The deploy branch can be chosen.
func TestDeployBranch(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	first := a.tip("main")
	l.dokku("git:set", a.name, "deploy-branch", "release")
	a.commit(files{"version": "2"})
	contains(t, a.pushing("main").succeeds(), "WARNING: deploy did not complete, you must push to release.")
	a.serves(first)
	out := a.pushing("main:release").succeeds()
	a.serves(a.tip("release"))
	lacks(t, out, "WARNING")
	clone := filepath.Join(l.front.home, "clone")
	a.git("clone", "-q", a.remote(), clone)
	if head, _ := os.ReadFile(filepath.Join(clone, ".git", "HEAD")); string(head) != "ref: refs/heads/release\n" {
		t.Errorf("a clone has %q", head)
	}
}

// Where apps are not made by pushes, a push says how to make one.
func TestNoAutoCreation(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]any{"no_auto_create": true})
	a := l.app(nil)
	contains(t, a.rejected(nil), " !     App auto-creation disabled.\n", "apps:create "+a.name)
	l.dokku("apps:create", a.name)
	a.push(nil)
	a.serves(a.tip("main"))
}
