package e2e

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Settings change what runs at once, under traffic or not.
func TestSettings(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(files{"Procfile": twoTypes})
	rev := a.tip("main")

	t.Run("config:set", func(t *testing.T) {
		a := a.with(t)
		before := a.instances()["web.1"]
		out := a.dokku("config:set", a.name, "GREETING=hello world")
		if _, body := a.get("/"); body != rev+" web.1 hello world\n" {
			t.Errorf("the app answers %q", body)
		}
		a.runs("web.1")
		if a.instances()["web.1"] == before {
			t.Errorf("web.1 was not replaced")
		}
		contains(t, out, "-----> Setting config vars\n       GREETING:  hello world\n-----> Restarting app "+a.name+"\n")
		if got := a.dokku("config:get", a.name, "GREETING"); got != "hello world\n" {
			t.Errorf("config:get prints %q", got)
		}
	})
	t.Run("config that keeps the app from starting", func(t *testing.T) {
		a := a.with(t)
		before := a.everything()
		contains(t, a.refused("config:set", a.name, "SERVER_FLAGS=-exit=9"), "exit code 9")
		if after := a.everything(); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		contains(t, a.refused("config:get", a.name, "SERVER_FLAGS"), "")
		a.serves(rev)
	})
	t.Run("domains", func(t *testing.T) {
		a := a.with(t)
		a.dokku("domains:add", a.name, "www.example.com")
		status, body := a.nginx.Get("www.example.com", "/")
		if status != 200 || !strings.HasPrefix(body, rev) {
			t.Errorf("the new domain answers %d %q", status, body)
		}
		a.dokku("domains:remove", a.name, "www.example.com")
		if status, body := a.nginx.Get("www.example.com", "/"); status == 200 {
			t.Errorf("the removed domain answers %d %q", status, body)
		}
	})
	t.Run("restart and rebuild", func(t *testing.T) {
		a := a.with(t)
		for _, command := range []string{"ps:restart", "ps:rebuild"} {
			before := a.instances()["web.1"]
			a.dokku(command, a.name)
			a.serves(rev)
			a.runs("web.1")
			if a.instances()["web.1"] == before {
				t.Errorf("%s does not replace web.1", command)
			}
		}
	})
	t.Run("over ssh", func(t *testing.T) {
		a := a.with(t)
		out, code := a.overSSH("ps:scale " + a.name + " worker=1")
		if a.runs("web.1", "worker.1"); code != 0 {
			t.Errorf("ps:scale over ssh ends with %d:\n%s", code, out)
		}
		if out, code := a.overSSH("ps:report nothing"); code != 20 || out != " !     App nothing does not exist\n" {
			t.Errorf("a command on an app that does not exist ends with %d:\n%s", code, out)
		}
	})
}

// Without the proxy, web binds a port of the host that it keeps.
func TestBoundPort(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	l.dokku("proxy:disable", a.name)
	url := strings.TrimSpace(l.dokku("urls", a.name))
	check := func(what string) {
		t.Helper()
		status, body, err := a.ask(url[len("http://"):], "/")
		if err != nil || status != 200 || !strings.HasPrefix(body, a.tip("main")) {
			t.Errorf("%s: %s answers %d %q, error %v", what, url, status, body, err)
		}
	}
	check("after proxy:disable")
	if status, _ := a.get("/"); status == 200 {
		t.Errorf("nginx still answers for the app")
	}
	a.push(files{"version": "2"})
	check("after a push")
	a.runs("web.1")
	if again := strings.TrimSpace(l.dokku("urls", a.name)); again != url {
		t.Errorf("a push moves the app from %s to %s", url, again)
	}
	out := a.rejected(files{"Procfile": "web: /server -exit=1\n"})
	check("after a rejected push")
	contains(t, out, "exit code 1")

	l.dokku("proxy:enable", a.name)
	a.serves(a.tip("main"))
	l.startAgent()
	a.rests()
	a.runs("web.1")
	if status, _, err := a.ask(url[len("http://"):], "/"); err == nil {
		t.Errorf("the host's port still answers: %d", status)
	}
}

// The logs of all processes, or of some, as they are or as they come.
func TestLogs(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(files{"Procfile": twoTypes})
	l.dokku("ps:scale", a.name, "worker=1")
	a.get("/say?text=one")
	a.get("/say?text=two")
	// The engine writes a log a moment after the process.
	waitFor(t, "the log has both lines", func() bool { return strings.Contains(l.dokku("logs", a.name), "two\n") })
	out := l.dokku("logs", a.name, "-p", "web")
	contains(t, out, "[web.1]: one\n", "[web.1]: two\n")
	// Scripts read these lines.
	form := regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z app\[web\.1\]: \S.*$`)
	for line := range strings.Lines(out) {
		if !form.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("logs prints the line %q", line)
		}
	}
	lacks(t, l.dokku("logs", a.name, "-p", "worker"), "web.1")
	contains(t, l.dokku("logs", a.name, "-p", "worker.1"), "[worker.1]: worker.1 has started\n")
	if out := l.dokku("logs", a.name, "-n", "1", "-p", "web"); strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, ": two\n") {
		t.Errorf("logs -n 1 prints %q", out)
	}
	tail := l.start(l.command("logs", a.name, "-t", "-n", "1"))
	tail.prints(": two\n")
	a.get("/say?text=three")
	tail.prints("[web.1]: three\n")
	a.push(files{"version": "2"})
	a.get("/say?text=four")
	tail.prints("[web.1]: four\n")
	tail.signal(unix.SIGINT)
	if out, _ := tail.wait(); strings.Count(out, ": two\n") != 1 {
		t.Errorf("logs -t repeats lines:\n%s", out)
	}
}

// What is destroyed leaves nothing.
func TestDestroy(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	a.push(files{"version": "2"})
	l.dokku("apps:destroy", "--force", a.name)
	if left := a.resources(); left != "" || exists(a.dir()) {
		t.Errorf("apps:destroy leaves:\n%s", left)
	}
	if status, _ := a.get("/"); status == 200 {
		t.Errorf("nginx still answers for the app")
	}
	if out, code := l.try("ps:report", a.name); code != 20 {
		t.Errorf("ps:report of a destroyed app ends with %d:\n%s", code, out)
	}
	contains(t, a.push(nil), "Releasing "+a.name+" v1")
	a.serves(a.tip("main"))
}

// Apps cannot reach each other, and no address of one ever answers for another.
func TestIsolation(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.startAgent()
	a, b := l.deployed(nil), l.deployed(files{"version": "another"})
	target := b.upstreams()[0].String()
	if _, body := b.get("/dial?to=" + target); body != "reached\n" {
		t.Errorf("an app does not reach itself at %s: %s", target, body)
	}
	if _, body := a.get("/dial?to=" + target); !strings.HasPrefix(body, "not reached") {
		t.Errorf("the app %s reaches %s of %s: %s", a.name, target, b.name, body)
	}

	// A process that the engine starts again has its address again, and whatever
	// is started meanwhile has another one.
	before := a.upstreams()
	a.ask(before[0].String(), "/crash")
	l.dokku("ps:scale", a.name, "web=3")
	waitFor(t, "web.1 is back", func() bool { return len(a.instances()) == 3 })
	if after := a.upstreams(); len(after) != 3 || after[0] != before[0] {
		t.Errorf("upstreams are %v, were %v", after, before)
	}
	seen := map[string]bool{}
	for range 60 {
		status, body := a.get("/")
		if status != http.StatusOK || !strings.HasPrefix(body, a.tip("main")) {
			t.Fatalf("the app answers %d %q", status, body)
		}
		seen[strings.Fields(body)[1]] = true
	}
	if len(seen) != 3 {
		t.Errorf("of three processes %v answer", seen)
	}
}

// While nginx is down a push is accepted, fails visibly, and goes live by itself
// once nginx is back.
func TestNginxIsDown(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	first := a.tip("main")
	arrived, release := l.hold(afterCommit)
	rev := a.commit(files{"version": "2"})
	push := a.pushing()
	arrived()
	l.nginx.Kill()
	release()
	out := push.fails()
	if a.tip("main") != rev {
		t.Fatalf("main is at %s, want %s:\n%s", a.tip("main"), rev, out)
	}
	contains(t, out, "nginx")
	l.nginx.Start()
	if _, body := a.get("/"); !strings.HasPrefix(body, rev) && !strings.HasPrefix(body, first) {
		t.Errorf("the app answers %q", body)
	}
	l.startAgent()
	waitFor(t, "the pushed version serves", func() bool { _, body := a.get("/"); return strings.HasPrefix(body, rev) })
	a.rests()
	a.runs("web.1")
}

// The agent brings an app back whose processes have ended behind its back, as
// they have after a reboot.
func TestReboot(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	stopped := l.deployed(files{"version": "stopped"})
	l.dokku("ps:stop", stopped.name)
	before := a.upstreams()
	a.stopAll()
	begun := time.Now()
	l.startAgent()
	waitFor(t, "all processes run", func() bool { return len(a.instances()) == 3 })
	a.serves(a.tip("main"))
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	if after := a.upstreams(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("upstreams are %v, were %v", after, before)
	}
	if n := len(stopped.instances()); n != 0 {
		t.Errorf("%d processes of a stopped app run", n)
	}
	if _, err := os.Stat(l.log("dokku.log")); err != nil {
		t.Errorf("the host has no log: %v", err)
	}
}
