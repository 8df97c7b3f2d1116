package nginx_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// TestRefused: nginx rejects a file of the admin's, in Stage, in Publish without Stage, or
// because it turned bad between the two. The previous route stays.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	c := s.Config()
	c.Timeout = 9 * time.Second // a third of it passes before nginx is asked why
	p := nginx.New(c)
	one, two := route(t, "hello", 1), route(t, "hello", 2)
	check(t, p.Publish(t.Context(), one))
	two.Settings.IncludeDir = t.TempDir()
	include := filepath.Join(two.Settings.IncludeDir, "my.conf")

	refused := func(name string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), `unknown directive "nonsense"`) || !strings.Contains(err.Error(), include) {
			t.Errorf("%s: got error %v, want nginx's message", name, err)
		}
		s.Kill()
		s.Start() // with the files that the failure left
		answers(t, s, "hello", 1)
		check(t, p.Publish(t.Context(), one))
	}
	check(t, p.Stage(t.Context(), two))
	check(t, os.WriteFile(include, []byte("nonsense on;\n"), 0o644))
	refused("publish what was staged", p.Publish(t.Context(), two))
	refused("stage", p.Stage(t.Context(), two))
	refused("publish", p.Publish(t.Context(), two))

	check(t, os.WriteFile(include, []byte("add_header X-Mine yes;\n"), 0o644))
	check(t, p.Publish(t.Context(), two))
	answers(t, s, "hello", 2)
}

// TestNoProof: nginx is told to reload and does not. Publish reports that and goes back.
func TestNoProof(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	check(t, s.Proxy().Publish(t.Context(), route(t, "hello", 1)))
	c := s.Config()
	c.Timeout = 3 * time.Second // the check has to fit in, on a busy machine too
	c.Reload = []string{"true"}
	err := nginx.New(c).Publish(t.Context(), route(t, "hello", 2))
	if err == nil || !strings.Contains(err.Error(), "nginx does not serve its new configuration") {
		t.Errorf("publish without an effect: got error %v", err)
	}
	answers(t, s, "hello", 1)
	s.Kill()
	s.Start()
	answers(t, s, "hello", 1)
	check(t, s.Proxy().Publish(t.Context(), route(t, "hello", 2)))
	answers(t, s, "hello", 2)
}

// TestNoProofKeepsCertificate: nginx does not get to serve a new certificate. The former one
// is there for the way back.
func TestNoProofKeepsCertificate(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	one, two := route(t, "hello", 1), route(t, "hello", 2)
	for _, r := range []*proxy.Route{&one, &two} {
		r.Certificates = make([]proxy.Certificate, 1)
		r.Certificates[0], _ = s.certificate(t, r.Domains...)
	}
	check(t, s.Publish(t.Context(), one))
	c := s.config
	c.Timeout = 3 * time.Second
	c.Reload = []string{"true"}
	if err := nginx.New(c).Publish(t.Context(), two); err == nil {
		t.Error("publish without an effect: no error")
	}
	s.Kill()
	s.Start()
	if got, want := s.leaf(t, "hello.example.com"), certificateAt(t, one.Certificates[0].Dir); !got.Equal(want) {
		t.Error("nginx started with another certificate than the one before")
	}
	check(t, s.Publish(t.Context(), two))
	if got, want := s.leaf(t, "hello.example.com"), certificateAt(t, two.Certificates[0].Dir); !got.Equal(want) {
		t.Error("the new certificate is not served")
	}
}

// TestOtherPort: nginx runs, and does not listen on this port before it is told of the first
// route: that is so beside Dokku.
func TestOtherPort(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	c := s.Config()
	c.Port = freePort(t)
	p := nginx.New(c)
	fresh := c
	fresh.Dir = filepath.Join(t.TempDir(), "dokku")
	if found := nginx.New(fresh).Examine(t.Context()); found.Down != nil {
		t.Errorf("before the first route: %v", found.Down)
	}
	one := route(t, "hello", 1)
	check(t, p.Stage(t.Context(), one))
	check(t, p.Publish(t.Context(), one))
	s.Port = c.Port
	answers(t, s, "hello", 1)

	// It was told, and does not listen: that it does not run is not the reason.
	c.Port, c.Timeout, c.Reload = freePort(t), 3*time.Second, []string{"true"}
	if err := nginx.New(c).Publish(t.Context(), route(t, "hello", 2)); err == nil || !strings.Contains(err.Error(), "another program holds a port of nginx") {
		t.Errorf("publish without an effect: got error %v", err)
	}
	answers(t, s, "hello", 1)
}

func TestNginxDown(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	check(t, p.Publish(t.Context(), route(t, "hello", 1)))
	check(t, p.Publish(t.Context(), route(t, "other", 1)))
	s.Kill()
	two := route(t, "hello", 2)
	check(t, p.Stage(t.Context(), two))
	err := p.Publish(t.Context(), two)
	if err == nil || !strings.Contains(err.Error(), "nginx is not running") || !strings.Contains(err.Error(), "systemctl start nginx") {
		t.Errorf("publish: got error %v", err)
	}
	liveIs(t, s, "hello", 1)
	check(t, p.Withdraw(t.Context(), "other"))
	if _, ok, err := p.Live(t.Context(), "other"); ok || err != nil {
		t.Errorf("withdrawn while nginx is down, and live: %t, %v", ok, err)
	}
	s.Start()
	answers(t, s, "hello", 1)
	if body, _ := get(s, "other.example.com"); strings.Contains(body, "other") {
		t.Error("an app that was withdrawn is back")
	}
	check(t, p.Publish(t.Context(), two))
	answers(t, s, "hello", 2)
}

// TestCrash kills a process at three points; the next call of any kind repairs it.
func TestCrash(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	release := 1
	check(t, p.Publish(t.Context(), route(t, "hello", release)))
	check(t, p.Publish(t.Context(), route(t, "other", 1)))

	kill := func(name, before string) proxy.Route {
		t.Helper()
		release++
		r := route(t, "hello", release)
		c := s.Config()
		die := []string{"sh", "-c", before + "kill -KILL $PPID"}
		if name == "check" {
			c.Check = die
		} else {
			c.Reload = die
		}
		if err := process(t, c, r).Run(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the process that should die: %v", err)
		}
		return r
	}
	reload := "sh " + s.Config().Reload[1] + "; "
	restart := func(*testing.T, proxy.Route) { s.Kill(); s.Start() }
	for _, test := range []struct {
		name, at, before string
		serves           int // the release before, 0, or the new one, 1; -1 either
		next             func(t *testing.T, r proxy.Route)
	}{
		{"in the check", "check", "", 0, nil},
		{"before the reload", "reload", "", 0, nil},
		{"before the reload, then nginx restarts", "reload", "", 0, restart},
		{"before the reload, then another app", "reload", "", 0, func(t *testing.T, r proxy.Route) {
			check(t, publish(t.Context(), p, route(t, "other", r.Release)))
			answers(t, s, "other", r.Release)
			answers(t, s, "hello", r.Release-1)
		}},
		{"before the reload, then another app is staged and nginx restarts", "reload", "", 0, func(t *testing.T, r proxy.Route) {
			other := route(t, "other", r.Release)
			check(t, p.Stage(t.Context(), other))
			restart(t, r)
			check(t, p.Publish(t.Context(), other))
			answers(t, s, "other", r.Release)
			answers(t, s, "hello", r.Release)
		}},
		{"before the reload, then the old one again", "reload", "", 0, func(t *testing.T, r proxy.Route) {
			check(t, p.Publish(t.Context(), route(t, "hello", r.Release-1)))
			restart(t, r)
			answers(t, s, "hello", r.Release-1)
		}},
		{"after the reload", "reload", reload, -1, nil},
		{"after the reload, then another app", "reload", reload, -1, func(t *testing.T, r proxy.Route) {
			check(t, publish(t.Context(), p, route(t, "other", r.Release)))
			answers(t, s, "other", r.Release)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := kill(test.at, test.before)
			if test.serves >= 0 {
				answers(t, s, "hello", r.Release-1+test.serves)
			}
			if test.next != nil {
				test.next(t, r)
			}
			check(t, p.Publish(t.Context(), r))
			answers(t, s, "hello", r.Release)
			s.Kill()
			s.Start()
			answers(t, s, "hello", r.Release)
			check(t, p.Withdraw(t.Context(), "gone"))
		})
	}
}

// TestTwoProcesses: processes take turns, and each one's Publish is in effect when it returns.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	var all sync.WaitGroup
	for _, app := range []string{"a", "b"} {
		var routes []proxy.Route
		for release := 1; release <= 6; release++ {
			routes = append(routes, route(t, app, release))
		}
		cmd := process(t, s.Config(), routes...)
		all.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Errorf("the process that publishes %s: %v", app, err)
			}
		})
	}
	all.Wait()
	answers(t, s, "a", 6)
	answers(t, s, "b", 6)
}

// TestDamagedFile: a damaged file affects only its own app.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	check(t, p.Publish(t.Context(), route(t, "hello", 1)))
	check(t, p.Publish(t.Context(), route(t, "other", 1)))
	for _, text := range []string{"", "# route {\n", "# route {}\n", "# route {\"App\":\"other\"}\n", "# route {\"App\":\"hello\",\"Domains\":[\"a;b\"]}\n", "\x00\xff"} {
		file := filepath.Join(s.Dir, "live", "hello.conf")
		check(t, os.WriteFile(file, []byte(text), 0o644))
		if r, ok, err := p.Live(t.Context(), "hello"); err == nil || ok || !strings.Contains(err.Error(), "ps:restart hello") {
			t.Errorf("live of %q: %+v, %t, %v", text, r, ok, err)
		}
	}
	check(t, os.WriteFile(filepath.Join(s.Dir, "live", "hello.conf"), nil, 0o644))
	check(t, publish(t.Context(), p, route(t, "other", 2)))
	answers(t, s, "other", 2)
	check(t, publish(t.Context(), p, route(t, "hello", 2)))
	answers(t, s, "hello", 2)
}

// TestLostFolder: the folder is lost or was made by hand; nginx still serves its old files.
func TestLostFolder(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	check(t, p.Publish(t.Context(), route(t, "hello", 1)))
	check(t, os.RemoveAll(s.Dir))
	check(t, os.MkdirAll(filepath.Join(s.Dir, "live"), 0o755))
	if _, ok, _ := p.Live(t.Context(), "hello"); ok {
		t.Error("live without a file")
	}
	check(t, publish(t.Context(), p, route(t, "hello", 1)))
	answers(t, s, "hello", 1)
	check(t, os.RemoveAll(s.Dir))
	check(t, p.Withdraw(t.Context(), "hello"))
	check(t, publish(t.Context(), p, route(t, "other", 1)))
	answers(t, s, "other", 1)
}

// TestFilesRemoved: the files that nginx serves were removed. Their content is unknown, so no
// route is live, and Publish writes and reads them again.
func TestFilesRemoved(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p, one := s.Proxy(), route(t, "hello", 1)
	check(t, p.Publish(t.Context(), one))
	check(t, os.RemoveAll(filepath.Join(s.Dir, "trees")))
	if r, ok, err := p.Live(t.Context(), "hello"); ok || err != nil {
		t.Errorf("live is %+v, %t, %v", r, ok, err)
	}
	check(t, p.Publish(t.Context(), one))
	answers(t, s, "hello", 1)
	if _, ok, err := p.Live(t.Context(), "hello"); !ok || err != nil {
		t.Errorf("after publishing again: %t, %v", ok, err)
	}
	s.Kill()
	s.Start()
	answers(t, s, "hello", 1)
}
