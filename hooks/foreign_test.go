package hooks

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newForeign makes a repository of somebody else's that deploys to app hello.
func newForeign(l *lab) string {
	l.t.Helper()
	dir := filepath.Join(l.home, "it's foreign.git")
	l.git("init", "-q", "--bare", "-b", "main", dir)
	script, err := os.ReadFile("foreign.sh")
	must(l.t, err)
	must(l.t, os.WriteFile(filepath.Join(dir, "hooks", "pre-receive"), script, 0o700))
	for name, from := range map[string]string{"id": filepath.Join(l.home, "key"), "id.known_hosts": l.known} {
		data, err := os.ReadFile(from)
		must(l.t, err)
		must(l.t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	l.git("-C", dir, "config", "dokku.url", l.url+"/hello")
	l.git("-C", dir, "config", "dokku.key", filepath.Join(dir, "id"))
	return dir
}

func (l *lab) pushForeign(dir string, args ...string) *client {
	// The hook has only the repository's configuration.
	return l.start(exec.Command("git", append([]string{"push", dir}, args...)...), "GIT_SSH_COMMAND=false")
}

func (l *lab) wantForeignTip(dir, want string) {
	l.t.Helper()
	if got := l.git("-C", dir, "for-each-ref", "--format=%(objectname)", "refs/heads/main"); got != want {
		l.t.Errorf("main of the foreign repository is %q, want %q", got, want)
	}
}

func TestForeignRepositoryDeploys(t *testing.T) {
	l := newLab(t)
	dir := newForeign(l)
	for i := range 150 { // git keeps the pack from 100 objects on
		must(t, os.WriteFile(filepath.Join(l.work, fmt.Sprint("f", i)), []byte{byte(i)}, 0o600))
	}
	l.git("add", ".")
	first := l.commit("many files")
	c := l.pushForeign(dir, "main")
	p := l.next("Prepare")
	if p.App != "hello" || p.Refs[0].New != first {
		t.Errorf("Prepare gets %v of %s, want %s of hello", p.Refs, p.App, first)
	}
	l.wantForeignTip(dir, "")
	p.reply("ok")
	l.next("Reconcile").reply("ok")
	if out := c.succeed(); !strings.Contains(out, "remote: -----> Preparing hello") || strings.Contains(out, "remote: remote:") {
		t.Errorf("the pusher does not read what the deploy prints:\n%s", out)
	}
	l.wantForeignTip(dir, first)
	l.wantTip("hello", first)

	l.commit("refused")
	c = l.pushForeign(dir, "main")
	l.next("Prepare").reply("fail CHECKS failed")
	out := c.fail()
	wantLine(t, out, "remote:  !     CHECKS failed")
	wantLine(t, out, "remote:  !     main was not deployed, so it is not accepted here either.")
	l.wantForeignTip(dir, first)

	l.git("reset", "-q", "--hard", first)
	second := l.commit("rewritten")
	c = l.pushForeign(dir, "+main")
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("ok")
	c.succeed()
	l.wantTip("hello", second)
}

func TestForeignRepositoryPassesWhatDoesNotDeploy(t *testing.T) {
	l := newLab(t)
	dir := newForeign(l)
	l.git("tag", "v1")
	l.pushForeign(dir, "main:feature", "main:refs/heads/maint", "v1").succeed()
	l.pushForeign(dir, ":feature").succeed()
	l.git("-C", dir, "config", "dokku.branch", "release")
	l.pushForeign(dir, "main").succeed()
	l.git("-C", dir, "config", "receive.denyDeleteCurrent", "ignore")
	l.pushForeign(dir, ":main").succeed()
	l.quiet()
	if l.exists("hello") {
		t.Error("the app was created")
	}
}

// The push option color is passed on, others are not.
func TestForeignRepositoryColour(t *testing.T) {
	l := newLab(t)
	dir := newForeign(l)
	l.git("-C", dir, "config", "receive.advertisePushOptions", "true")
	for _, options := range [][]string{{"-o", "ci.skip", "-o", "color"}, {"-o", "colour=it's \"odd\""}} {
		l.commit(options[1])
		c := l.pushForeign(dir, append(options, "main")...)
		l.next("Prepare").reply("ok")
		l.next("Reconcile").reply("ok")
		want := "remote: " + plainStep
		if len(options) == 4 {
			want = "remote: " + boldStep
		}
		wantLine(t, c.succeed(), want)
	}
}

// Other checks of a push run before the deploy.
func TestForeignRepositoryOthersRefuseFirst(t *testing.T) {
	l := newLab(t)
	dir := newForeign(l)
	hook := func(name, script string) {
		must(t, os.WriteFile(filepath.Join(dir, "hooks", name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	id := l.git("rev-parse", "main")
	hook("pre-receive.local", `read -r old new ref; echo "local sees $new $ref"; exit 1`)
	wantLine(t, l.pushForeign(dir, "main").fail(), "remote: local sees "+id+" refs/heads/main")
	hook("pre-receive.local", "cat >/dev/null")
	hook("update", `echo "update sees $1 $3"; exit 1`)
	wantLine(t, l.pushForeign(dir, "main").fail(), "remote: update sees refs/heads/main "+id)
	l.quiet()
	hook("update", "exit 0")
	c := l.pushForeign(dir, "main")
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("ok")
	c.succeed()
	l.git("-C", dir, "config", "receive.denyNonFastForwards", "yes")
	l.git("commit", "-q", "--amend", "-m", "rewritten")
	wantLine(t, l.pushForeign(dir, "+main").fail(), "receive.denyNonFastForwards")
	l.git("-C", dir, "config", "--unset", "dokku.key")
	l.commit("three")
	l.git("-C", dir, "config", "receive.denyNonFastForwards", "no")
	wantLine(t, l.pushForeign(dir, "+main").fail(), "dokku.key is not set")
	l.quiet()
}
