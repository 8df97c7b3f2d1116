package nginx_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/disk"
	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// crowd is an nginx whose lock a test holds, so that calls wait.
type crowd struct {
	*nginxtest.Server
	config nginx.Config // counts tests and reloads
	log    string
	lock   *os.File
	calls  sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{Server: nginxtest.NewServer(t, "")}
	c.config = c.Server.Config()
	c.count()
	check(t, c.Proxy().Publish(t.Context(), route(t, "first", 1)))
	c.hold(t)
	return c
}

// count makes the configuration's commands leave a letter in the log.
func (c *crowd) count() {
	c.log = filepath.Join(filepath.Dir(c.Etc), "commands")
	c.config.Check = []string{"sh", "-c", "printf c >> " + c.log + "; exec sh " + c.config.Check[1]}
	c.config.Reload = []string{"sh", "-c", "printf r >> " + c.log + "; exec sh " + c.config.Reload[1]}
}

// hold takes the lock.
func (c *crowd) hold(t *testing.T) {
	t.Helper()
	f, err := disk.OpenLock(filepath.Join(c.Dir, "lock"), 0o600)
	check(t, err)
	check(t, disk.WaitLock(t.Context(), f, disk.Exclusive))
	c.lock = f
	t.Cleanup(func() { f.Close() })
}

// release gives the lock back.
func (c *crowd) release() { c.lock.Close() }

// waiting are the calls that wait, with their state.
func (c *crowd) waiting(state string) int {
	files, _ := filepath.Glob(filepath.Join(c.Dir, "waiting", "*."+state))
	return len(files)
}

// call calls f, and returns once it waits as the nth call. Its error is in the channel.
func (c *crowd) call(t *testing.T, n int, f func() error) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	c.calls.Go(func() { result <- f() })
	c.waits(t, n)
	return result
}

func (c *crowd) waits(t *testing.T, n int) {
	t.Helper()
	nginxtest.Eventually(t, fmt.Sprint(n, " calls wait"), func() bool { return c.waiting("wanted") == n })
}

// ran are the tests and reloads since the last time.
func (c *crowd) ran() string {
	text, _ := os.ReadFile(c.log)
	os.Remove(c.log)
	return string(text)
}

// nothingWaits checks that no file of a call is left.
func (c *crowd) nothingWaits(t *testing.T) {
	t.Helper()
	if left, _ := os.ReadDir(filepath.Join(c.Dir, "waiting")); len(left) > 0 {
		t.Errorf("%d files of calls are left, the first is %s", len(left), left[0].Name())
	}
}

func (c *crowd) answersNothing(t *testing.T, app string) {
	t.Helper()
	if _, ok, err := c.Proxy().Live(t.Context(), app); ok || err != nil {
		t.Errorf("%s is live: %t, %v", app, ok, err)
	}
}

// TestShared: calls that wait for the lock share one test, and one reload.
func TestShared(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	var results []<-chan error
	routes := map[string]proxy.Route{}
	for n := range 10 {
		r := route(t, fmt.Sprint("app", n), 1)
		routes[r.App] = r
		results = append(results, c.call(t, n+1, func() error { return nginx.New(c.config).Stage(t.Context(), r) }))
	}
	c.release()
	for _, r := range results {
		check(t, <-r)
	}
	if got := c.ran(); got != "c" {
		t.Errorf("10 calls of Stage run %q, want one test", got)
	}
	c.answersNothing(t, "app1")

	c.hold(t)
	results = results[:0]
	for _, r := range routes {
		results = append(results, c.call(t, len(results)+1, func() error { return nginx.New(c.config).Publish(t.Context(), r) }))
	}
	results = append(results, c.call(t, len(results)+1, func() error { return nginx.New(c.config).Withdraw(t.Context(), "first") }))
	c.release()
	for _, r := range results {
		check(t, <-r)
	}
	if got := c.ran(); got != "cr" {
		t.Errorf("10 calls of Publish and one of Withdraw run %q, want one test and one reload", got)
	}
	for app := range routes {
		answers(t, c.Server, app, 1)
	}
	c.answersNothing(t, "first")
	c.nothingWaits(t)
}

// TestSharedCertificates: certificates that are changed at the same time take effect in one
// reload.
func TestSharedCertificates(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	c := &crowd{Server: s.Server}
	c.hold(t)
	apps := []string{"one", "two", "three"}
	var results []<-chan error
	for n, app := range apps {
		r := route(t, app, 1)
		r.Certificates = make([]proxy.Certificate, 1)
		r.Certificates[0], _ = s.certificate(t, r.Domains...)
		results = append(results, c.call(t, n+1, func() error { return nginx.New(s.config).Publish(t.Context(), r) }))
	}
	c.release()
	for _, r := range results {
		check(t, <-r)
	}
	for _, app := range apps {
		if got := s.leaf(t, app+".example.com").DNSNames; len(got) != 1 || got[0] != app+".example.com" {
			t.Errorf("%s gets a certificate for %v", app, got)
		}
	}
	c.nothingWaits(t)
}

// TestManyCertificates: the certificates of 50 apps are replaced at the same time, each in a
// test and a publication, as commands do. Without sharing, that takes 50 reloads and 100 tests.
func TestManyCertificates(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	c := &crowd{Server: s.Server, config: s.config}
	c.count()
	const apps = 50
	routes := make([]proxy.Route, apps)
	replace := func(release int) time.Duration {
		for n := range routes {
			routes[n] = proxy.Route{App: fmt.Sprint("app", n), Release: release, Domains: []string{fmt.Sprintf("app%d.example.com", n)}, Certificates: make([]proxy.Certificate, 1)}
			routes[n].Certificates[0], _ = s.certificate(t, routes[n].Domains...)
		}
		begun := time.Now()
		for _, r := range routes {
			c.calls.Go(func() {
				if err := publish(t.Context(), nginx.New(c.config), r); err != nil {
					t.Error(err)
				}
			})
		}
		c.calls.Wait()
		return time.Since(begun)
	}
	replace(1)
	c.ran()
	took := replace(2)
	ran := c.ran()
	tests, reloads := strings.Count(ran, "c"), strings.Count(ran, "r")
	t.Logf("%d certificates replaced in %s by %d tests and %d reloads", apps, took.Round(10*time.Millisecond), tests, reloads)
	if tests > apps/2 || reloads > apps/5 {
		t.Errorf("%d certificates took %d tests and %d reloads", apps, tests, reloads)
	}
	for _, r := range routes {
		want := certificateAt(t, r.Certificates[0].Dir)
		if got := s.leaf(t, r.Domains[0]); !got.Equal(want) {
			t.Errorf("%s gets another certificate than its new one", r.App)
		}
	}
	c.nothingWaits(t)
}

func certificateAt(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, proxy.CertificateFile))
	check(t, err)
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	check(t, err)
	return leaf
}

// TestSharedFailure: a bad change fails no other. It may be refused in the test, in the
// reload, or before both.
func TestSharedFailure(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	refused := route(t, "refused", 1)
	refused.Settings.IncludeDir = t.TempDir()
	check(t, os.WriteFile(filepath.Join(refused.Settings.IncludeDir, "my.conf"), []byte("nonsense on;\n"), 0o644))
	conflict := route(t, "conflict", 1)
	conflict.Domains = []string{"first.example.com"}
	lost := route(t, "lost", 1)
	lost.Certificates = []proxy.Certificate{{ID: "00000000", Dir: filepath.Join(t.TempDir(), "gone"), Domains: lost.Domains}}
	for _, test := range []struct {
		route proxy.Route
		says  string
	}{
		{refused, `unknown directive "nonsense"`},
		{conflict, "domain first.example.com belongs to app first already"},
		{lost, "no such file or directory"},
	} {
		one, two := route(t, "one-"+test.route.App, 1), route(t, "two-"+test.route.App, 1)
		var results []<-chan error
		for n, r := range []proxy.Route{one, test.route, two} {
			results = append(results, c.call(t, n+1, func() error { return nginx.New(c.config).Publish(t.Context(), r) }))
		}
		c.release()
		check(t, <-results[0])
		check(t, <-results[2])
		if err := <-results[1]; err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.route.App, err, test.says)
		}
		answers(t, c.Server, one.App, 1)
		answers(t, c.Server, two.App, 1)
		c.answersNothing(t, test.route.App)
		c.nothingWaits(t)
		c.hold(t)
	}

	c.config.Reload = []string{"sh", "-c", "[ ! -e " + c.Dir + "/live/bad.conf ] || { echo no such luck; exit 1; }; exec " + strings.Join(c.Server.Config().Reload, " ")}
	good := c.call(t, 1, func() error { return nginx.New(c.config).Publish(t.Context(), route(t, "good", 1)) })
	bad := c.call(t, 2, func() error { return nginx.New(c.config).Publish(t.Context(), route(t, "bad", 1)) })
	c.release()
	check(t, <-good)
	if err := <-bad; err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("bad: %v, want the message of the reload", err)
	}
	answers(t, c.Server, "good", 1)
	answers(t, c.Server, "first", 1)
}

// TestSharedKilled: a process that is killed while it waits holds up nobody, and its route
// does not go live later.
func TestSharedKilled(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	dead := process(t, c.Server.Config(), route(t, "dead", 1))
	check(t, dead.Start())
	c.waits(t, 1)
	lives := c.call(t, 2, func() error { return nginx.New(c.config).Stage(t.Context(), route(t, "lives", 1)) })
	kill(t, dead)
	c.release()
	check(t, <-lives)
	c.nothingWaits(t)
	if files, _ := filepath.Glob(filepath.Join(c.Dir, "staged", "dead.conf")); len(files) > 0 {
		t.Error("the dead process's route is staged")
	}
}

// TestSharedSettings: a process with other settings carries out its change itself, and so
// does one that gives an app another name.
func TestSharedSettings(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	trusting := c.config
	trusting.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	renamed := route(t, "second", 1)
	renamed.Replaces = "first"
	one := c.call(t, 1, func() error { return nginx.New(c.config).Publish(t.Context(), route(t, "one", 1)) })
	other := c.call(t, 2, func() error { return nginx.New(trusting).Publish(t.Context(), route(t, "other", 1)) })
	moved := make(chan error, 1)
	c.calls.Go(func() { moved <- nginx.New(c.config).Publish(t.Context(), renamed) })
	c.release()
	check(t, <-one)
	check(t, <-other)
	check(t, <-moved)
	if got := c.ran(); got != "crcrcr" {
		t.Errorf("three changes that cannot be made together run %q", got)
	}
	answers(t, c.Server, "one", 1)
	answers(t, c.Server, "other", 1)
	answers(t, c.Server, "second", 1)
	c.answersNothing(t, "first")
	c.nothingWaits(t)
}

// kill kills a process and waits for its end.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	check(t, cmd.Process.Kill())
	cmd.Wait()
}
