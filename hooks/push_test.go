package hooks

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/deploy"
)

func wantLine(t *testing.T, out, want string) {
	t.Helper()
	if !strings.Contains(out, want) {
		t.Fatalf("the client does not read %q:\n%s", want, out)
	}
}

func TestFirstPushCreatesTheApp(t *testing.T) {
	l := newLab(t)
	c := l.push("hello", "main")
	p := l.next("Prepare")
	id := l.git("rev-parse", "main")
	want := []deploy.Ref{{Old: strings.Repeat("0", 40), New: id, Name: "refs/heads/main"}}
	if p.App != "hello" || !slices.Equal(p.Refs, want) {
		t.Errorf("Prepare gets %s %v, want hello %v", p.App, p.Refs, want)
	}
	if l.tip("hello", "refs/heads/main") != "" {
		t.Error("the ref moved before Prepare had ended")
	}
	p.reply("ok")
	r := l.next("Reconcile")
	l.wantTip("hello", id)
	r.reply("ok")
	out := c.succeed()
	wantLine(t, out, "remote: -----> Preparing hello")
	wantLine(t, out, "remote: -----> Reconciling hello")
	l.quiet()
}

func TestRejectedFirstPushLeavesNoApp(t *testing.T) {
	l := newLab(t)
	c := l.push("hello", "main")
	l.next("Prepare").reply("fail CHECKS failed")
	out := c.fail()
	wantLine(t, out, "remote:  !     CHECKS failed")
	wantLine(t, out, "pre-receive hook declined")
	l.wantGone("hello")
	l.quiet()
}

func TestRejectedPushLeavesTheApp(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	id := l.git("rev-parse", "main")
	l.commit("two")
	c := l.push("hello", "main")
	l.next("Prepare").reply("fail no")
	c.fail()
	l.wantTip("hello", id)
	l.quiet()
}

func TestAutoCreationOff(t *testing.T) {
	l := newLab(t)
	must(t, os.MkdirAll(filepath.Join(l.root, ".dokku"), 0o700))
	must(t, os.WriteFile(filepath.Join(l.root, ".dokku", "server.json"), []byte(`{"no_auto_create":true}`), 0o600))
	wantLine(t, l.push("hello", "main").fail(), " !     App auto-creation disabled.")
	if l.exists("hello") {
		t.Error("the app was created")
	}
}

// Of two first pushes one is rejected: it must not take away what the other
// is about to get accepted.
func TestTwoFirstPushes(t *testing.T) {
	l := newLab(t)
	a := l.push("hello", "main")
	prepareA := l.next("Prepare")
	b := l.push("hello", "main")
	prepareB := l.next("Prepare")
	prepareA.reply("fail no")
	a.fail()
	if !l.exists("hello") {
		t.Fatal("the rejected push took the app away")
	}
	prepareB.reply("ok")
	l.next("Reconcile").reply("ok")
	b.succeed()
	l.wantTip("hello", l.git("rev-parse", "main"))
}

func TestAllSpellingsOfAnApp(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	for _, url := range []string{"/hello", "/hello/", "/hello.git", "/~/hello", l.root + "/hello", "/" + l.root + "/hello.git"} {
		if out := l.git("ls-remote", l.url+url, "main"); !strings.HasPrefix(out, l.git("rev-parse", "main")) {
			t.Errorf("ls-remote %s prints %q", url, out)
		}
	}
}

func TestUpToDate(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	tip := l.git("rev-parse", "main")
	overSSH := l.inDNS()
	out := l.push("hello", "main").succeed()
	wantLine(t, out, "-----> Git sent nothing new: hello has not been deployed yet")
	wantLine(t, out, "       "+tip[:7]+" was pushed before and is not deployed; to deploy it: "+overSSH+"ps:rebuild hello")

	dir := filepath.Join(l.root, "hello", "dokku")
	must(t, os.MkdirAll(filepath.Join(dir, "releases"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "releases", "3.json"), []byte(`{"number":3,"revision":"`+tip+`"}`), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{"current":3}`), 0o600))
	out = l.push("hello", "main").succeed()
	wantLine(t, out, "-----> Git sent nothing new: hello serves v3 ("+tip[:7]+")")
	wantLine(t, out, "If git says that everything is up-to-date, this builds and starts it again: "+overSSH+"ps:rebuild hello")

	// A push that git itself rejects must not be told that it was nothing.
	l.git("commit", "-q", "--amend", "--allow-empty", "-m", "another")
	out, code := l.push("hello", "main").wait()
	if code == 0 || !strings.Contains(out, "non-fast-forward") || strings.Contains(out, "Nothing new was pushed") {
		t.Errorf("a push that is no fast-forward ends with %d and prints\n%s", code, out)
	}

	must(t, os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{"current":3,"stopped":true}`), 0o600))
	l.git("reset", "-q", "--hard", tip)
	wantLine(t, l.push("hello", "main").succeed(), "To start it: "+overSSH+"ps:start hello")
	l.quiet()
}

// TestUpToDateOnAnotherBranch: develop was pushed first, and made the deploy branch then.
func TestUpToDateOnAnotherBranch(t *testing.T) {
	l := newLab(t)
	overSSH := l.inDNS()
	c := l.push("hello", "main:develop")
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("ok")
	c.succeed()
	state := filepath.Join(l.root, "hello", "dokku", "state.json")
	must(t, os.WriteFile(state, []byte(`{}`), 0o600))
	wantLine(t, l.push("hello", "main:develop").succeed(), "To deploy a branch: git push <dokku> BRANCH:main")
	must(t, os.WriteFile(state, []byte(`{"deploy_branch":"develop"}`), 0o600))
	out := l.push("hello", "main:develop").succeed()
	wantLine(t, out, " was pushed before and is not deployed; to deploy it: "+overSSH+"ps:rebuild hello")
	l.quiet()
}

func TestDryRunLeavesNoApp(t *testing.T) {
	l := newLab(t)
	l.push("hello", "--dry-run", "main").succeed()
	l.wantGone("hello")
	l.quiet()
}

// Other operations of git's clients and CI services than a single push of main.
func TestKindsOfPushes(t *testing.T) {
	l := newLab(t)
	first := l.git("rev-parse", "main")
	l.deploy("hello", "main")

	second := l.commit("two")
	l.git("tag", "v1")
	l.git("branch", "other", first)
	c := l.push("hello", "main", "other", "v1")
	p := l.next("Prepare")
	var names []string
	for _, r := range p.Refs {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	if want := []string{"refs/heads/main", "refs/heads/other", "refs/tags/v1"}; !slices.Equal(names, want) {
		t.Errorf("a push of several refs gives Prepare %v, want %v", names, want)
	}
	p.reply("ok")
	l.next("Reconcile").reply("ok")
	c.succeed()
	l.wantTip("hello", second)

	l.deploy("hello", "+"+first+":main")
	l.wantTip("hello", first)

	c = l.push("hello", ":other")
	p = l.next("Prepare")
	if r := p.Refs[0]; r.New != strings.Repeat("0", 40) || r.Old != first {
		t.Errorf("a deletion gives Prepare %v", p.Refs)
	}
	p.reply("ok")
	l.next("Reconcile").reply("ok")
	c.succeed()
}

func TestShallowClonePushes(t *testing.T) {
	l := newLab(t)
	l.commit("two")
	l.commit("three")
	shallow := filepath.Join(l.home, "shallow")
	l.git("clone", "-q", "--depth=1", "file://"+l.work, shallow)
	c := l.start(exec.Command("git", "-C", shallow, "push", l.url+"/hello", "main"))
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("ok")
	c.succeed()
	l.wantTip("hello", l.git("rev-parse", "main"))
}

// Without a wrapper, as user dokku does on the server itself.
func TestPushToAPath(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	id := l.commit("two")
	c := l.start(exec.Command("git", "push", filepath.Join(l.root, "hello"), "main"))
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("ok")
	wantLine(t, c.succeed(), "Preparing hello")
	l.wantTip("hello", id)

	l.commit("three")
	c = l.start(exec.Command("git", "push", filepath.Join(l.root, "hello"), "main"))
	p := l.next("Prepare")
	c.signal(unix.SIGINT) // Ctrl-C
	p.says("cancelled")
	c.fail()
	l.wantTip("hello", id)
}

func TestCloneOfWhatWasPushed(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	clone := filepath.Join(l.home, "clone")
	l.git("clone", "-q", l.url+"/hello", clone)
	if _, err := os.Stat(filepath.Join(clone, "file")); err != nil {
		t.Error(err)
	}
	c := l.start(exec.Command("git", "clone", "-q", l.url+"/nobody", clone+"2"))
	wantLine(t, c.fail(), " !     App nobody does not exist")
	if l.exists("nobody") {
		t.Error("a clone created an app")
	}
}

// If an accepted push cannot be made live, git push fails visibly.
func TestFailedReconcileFailsThePush(t *testing.T) {
	l := newLab(t)
	c := l.push("hello", "main")
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("fail nginx is down")
	wantLine(t, c.fail(), "nginx is down")
	l.wantTip("hello", l.git("rev-parse", "main"))
	l.quiet()
}

// Git refuses after pre-receive has accepted, and runs no post-receive: the
// wrapper sees to it that what was prepared is undone.
func TestRefThatDoesNotMove(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	id := l.git("rev-parse", "main")
	l.commit("two")
	c := l.push("hello", "main")
	p := l.next("Prepare")
	lock := filepath.Join(l.root, "hello", "refs", "heads", "main.lock")
	must(t, os.WriteFile(lock, nil, 0o600))
	p.reply("ok")
	r := l.next("Reconcile")
	if state, _ := processState(r.PID); state == 0 || r.PID == p.PID {
		t.Error("Reconcile is not called by the wrapper")
	}
	r.reply("ok")
	c.fail()
	l.wantTip("hello", id)
	l.quiet()
}

// TestTooLargePush: git refuses a pack of more than pack-max-size before anybody looks at
// it, and keeps nothing of it.
func TestTooLargePush(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	was := l.tip("hello", "refs/heads/main")
	limit := func(value string) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Join(l.root, ".dokku"), 0o700))
		must(t, os.WriteFile(filepath.Join(l.root, ".dokku", "server.json"), []byte(`{"git":{"pack-max-size":"`+value+`"}}`), 0o600))
	}
	big := make([]byte, 300_000)
	rand.Read(big)
	must(t, os.WriteFile(filepath.Join(l.work, "big"), big, 0o600))
	l.git("add", "big")
	id := l.commit("two")
	limit("204800")
	wantLine(t, l.push("hello", "main").fail(), "fatal: pack exceeds maximum allowed size (200.00 KiB)")
	limit("lots")
	wantLine(t, l.push("hello", "main").fail(), `cannot use pack-max-size "lots" of the server: it has to be a number above 0`)
	l.quiet()
	l.wantTip("hello", was)
	limit("400000")
	l.deploy("hello", "main")
	l.wantTip("hello", id)
}
