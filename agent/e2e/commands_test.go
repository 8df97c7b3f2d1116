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

	"dokku/agent/e2e/lab"
)

// TestSettings: settings take effect at once, under traffic too.
func TestSettings(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes})
	rev := a.Tip("main")

	t.Run("config:set", func(t *testing.T) {
		a := a.With(t)
		before := a.Instances()["web.1"]
		out := a.Lab.Dokku("config:set", a.Name, "GREETING=hello world")
		if _, body := a.Get("/"); body != rev+" web.1 hello world\n" {
			t.Errorf("the app answers %q", body)
		}
		a.Runs("web.1")
		if a.Instances()["web.1"] == before {
			t.Errorf("web.1 was not replaced")
		}
		lab.Contains(t, out, "-----> Setting config vars\n       GREETING:  hello world\n-----> Restarting app "+a.Name+"\n-----> Releasing "+a.Name+" v")
		if got := a.Lab.Dokku("config:get", a.Name, "GREETING"); got != "hello world\n" {
			t.Errorf("config:get prints %q", got)
		}
	})
	t.Run("config that keeps the app from starting", func(t *testing.T) {
		a := a.With(t)
		before := a.Everything()
		lab.Contains(t, a.Lab.Refused("config:set", a.Name, "SERVER_FLAGS=-exit=9"), "exit code 9")
		if after := a.Everything(); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		lab.Contains(t, a.Lab.Refused("config:get", a.Name, "SERVER_FLAGS"), "")
		a.Serves(rev)
	})
	t.Run("domains", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("domains:add", a.Name, "www.example.com")
		status, body := a.Lab.Nginx.Get("www.example.com", "/")
		if status != 200 || !strings.HasPrefix(body, rev) {
			t.Errorf("the new domain answers %d %q", status, body)
		}
		a.Lab.Dokku("domains:remove", a.Name, "www.example.com")
		if status, body := a.Lab.Nginx.Get("www.example.com", "/"); status == 200 {
			t.Errorf("the removed domain answers %d %q", status, body)
		}
	})
	t.Run("restart and rebuild", func(t *testing.T) {
		a := a.With(t)
		for _, command := range []string{"ps:restart", "ps:rebuild"} {
			before := a.Instances()["web.1"]
			a.Lab.Dokku(command, a.Name)
			a.Serves(rev)
			a.Runs("web.1")
			if a.Instances()["web.1"] == before {
				t.Errorf("%s does not replace web.1", command)
			}
		}
	})
	t.Run("over ssh", func(t *testing.T) {
		a := a.With(t)
		out, code := a.Lab.OverSSH("ps:scale " + a.Name + " worker=1")
		if a.Runs("web.1", "worker.1"); code != 0 {
			t.Errorf("ps:scale over ssh ends with %d:\n%s", code, out)
		}
		if out, code := a.Lab.OverSSH("ps:report nothing"); code != 20 || out != " !     App nothing does not exist\n" {
			t.Errorf("a command on an app that does not exist ends with %d:\n%s", code, out)
		}
	})
}

// TestBoundPort: without the proxy, web binds a port of the host and keeps it.
func TestBoundPort(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	l.Dokku("proxy:disable", a.Name)
	url := strings.TrimSpace(l.Dokku("urls", a.Name))
	check := func(what string) {
		t.Helper()
		status, body, err := a.Ask(url[len("http://"):], "/")
		if err != nil || status != 200 || !strings.HasPrefix(body, a.Tip("main")) {
			t.Errorf("%s: %s answers %d %q, error %v", what, url, status, body, err)
		}
	}
	check("after proxy:disable")
	if status, _ := a.Get("/"); status == 200 {
		t.Errorf("nginx still answers for the app")
	}
	a.Push(lab.Files{"version": "2"})
	check("after a push")
	a.Runs("web.1")
	if again := strings.TrimSpace(l.Dokku("urls", a.Name)); again != url {
		t.Errorf("a push moves the app from %s to %s", url, again)
	}
	out := a.Rejected(lab.Files{"Procfile": "web: /server -exit=1\n"})
	check("after a rejected push")
	lab.Contains(t, out, "exit code 1")

	l.Dokku("proxy:enable", a.Name)
	a.Serves(a.Tip("main"))
	l.StartAgent()
	a.Rests()
	a.Runs("web.1")
	if status, _, err := a.Ask(url[len("http://"):], "/"); err == nil {
		t.Errorf("the host's port still answers: %d", status)
	}
}

// TestLogs prints the logs of all processes or of some, once or continuously.
func TestLogs(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes})
	l.Dokku("ps:scale", a.Name, "worker=1")
	a.Get("/say?text=one")
	a.Get("/say?text=two")
	// The engine writes a log a moment after the process.
	lab.WaitFor(t, "the log has both lines", func() bool { return strings.Contains(l.Dokku("logs", a.Name), "two\n") })
	out := l.Dokku("logs", a.Name, "-p", "web")
	lab.Contains(t, out, "[web.1]: one\n", "[web.1]: two\n")
	// Scripts read these lines.
	form := regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z app\[web\.1\]: \S.*$`)
	for line := range strings.Lines(out) {
		if !form.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("logs prints the line %q", line)
		}
	}
	lab.Lacks(t, l.Dokku("logs", a.Name, "-p", "worker"), "web.1")
	lab.Contains(t, l.Dokku("logs", a.Name, "-p", "worker.1"), "[worker.1]: worker.1 has started\n")
	if out := l.Dokku("logs", a.Name, "-n", "1", "-p", "web"); strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, ": two\n") {
		t.Errorf("logs -n 1 prints %q", out)
	}
	tail := l.Start(l.Command("logs", a.Name, "-t", "-n", "1"))
	tail.Prints(": two\n")
	a.Get("/say?text=three")
	tail.Prints("[web.1]: three\n")
	a.Push(lab.Files{"version": "2"})
	a.Get("/say?text=four")
	tail.Prints("[web.1]: four\n")
	tail.Signal(unix.SIGINT)
	if out, _ := tail.Wait(); strings.Count(out, ": two\n") != 1 {
		t.Errorf("logs -t repeats lines:\n%s", out)
	}
}

// TestDestroy: a destroyed app leaves nothing behind.
func TestDestroy(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	a.Push(lab.Files{"version": "2"})
	l.Dokku("apps:destroy", "--force", a.Name)
	if left := a.Resources(); left != "" || lab.Exists(a.Dir()) {
		t.Errorf("apps:destroy leaves:\n%s", left)
	}
	if status, _ := a.Get("/"); status == 200 {
		t.Errorf("nginx still answers for the app")
	}
	if out, code := l.Try("ps:report", a.Name); code != 20 {
		t.Errorf("ps:report of a destroyed app ends with %d:\n%s", code, out)
	}
	lab.Contains(t, a.Push(nil), "Releasing "+a.Name+" v1")
	a.Serves(a.Tip("main"))
}

// TestIsolation: apps cannot reach each other, and no address of one ever answers for
// another.
func TestIsolation(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	a, b := l.Deployed(nil), l.Deployed(lab.Files{"version": "another"})
	target := b.Upstreams()[0].String()
	if _, body := b.Get("/dial?to=" + target); body != "reached\n" {
		t.Errorf("an app does not reach itself at %s: %s", target, body)
	}
	if _, body := a.Get("/dial?to=" + target); !strings.HasPrefix(body, "not reached") {
		t.Errorf("the app %s reaches %s of %s: %s", a.Name, target, b.Name, body)
	}

	// A restarted process has its former address again, and processes that start in the
	// meantime have other ones.
	before := a.Upstreams()
	a.Ask(before[0].String(), "/crash")
	l.Dokku("ps:scale", a.Name, "web=3")
	lab.WaitFor(t, "web.1 is back", func() bool { return len(a.Instances()) == 3 })
	if after := a.Upstreams(); len(after) != 3 || after[0] != before[0] {
		t.Errorf("upstreams are %v, were %v", after, before)
	}
	seen := map[string]bool{}
	for range 60 {
		status, body := a.Get("/")
		if status != http.StatusOK || !strings.HasPrefix(body, a.Tip("main")) {
			t.Fatalf("the app answers %d %q", status, body)
		}
		seen[strings.Fields(body)[1]] = true
	}
	if len(seen) != 3 {
		t.Errorf("of three processes %v answer", seen)
	}
}

// TestNginxIsDown: while nginx is down, a push is accepted, fails visibly, and goes live by
// itself once nginx is back.
func TestNginxIsDown(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	first := a.Tip("main")
	arrived, release := l.Hold(lab.AfterCommit)
	rev := a.Commit(lab.Files{"version": "2"})
	push := a.Pushing()
	arrived()
	l.Nginx.Kill()
	release()
	out := push.Fails()
	if a.Tip("main") != rev {
		t.Fatalf("main is at %s, want %s:\n%s", a.Tip("main"), rev, out)
	}
	lab.Contains(t, out, "nginx")
	l.Nginx.Start()
	if _, body := a.Get("/"); !strings.HasPrefix(body, rev) && !strings.HasPrefix(body, first) {
		t.Errorf("the app answers %q", body)
	}
	l.StartAgent()
	lab.WaitFor(t, "the pushed version serves", func() bool { _, body := a.Get("/"); return strings.HasPrefix(body, rev) })
	a.Rests()
	a.Runs("web.1")
}

// TestReboot: the agent restarts an app whose processes have all ended, as after a
// reboot.
func TestReboot(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	stopped := l.Deployed(lab.Files{"version": "stopped"})
	l.Dokku("ps:stop", stopped.Name)
	before := a.Upstreams()
	a.StopAll()
	begun := time.Now()
	l.StartAgent()
	lab.WaitFor(t, "all processes run", func() bool { return len(a.Instances()) == 3 })
	a.Serves(a.Tip("main"))
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	if after := a.Upstreams(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("upstreams are %v, were %v", after, before)
	}
	if n := len(stopped.Instances()); n != 0 {
		t.Errorf("%d processes of a stopped app run", n)
	}
	if _, err := os.Stat(l.Log("dokku.log")); err != nil {
		t.Errorf("the host has no log: %v", err)
	}
}
