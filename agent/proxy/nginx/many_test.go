package nginx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// TestKnownCertificates: nginx tests a new certificate, and not again those that it has read.
func TestKnownCertificates(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	c := s.config
	seen := filepath.Join(t.TempDir(), "seen")
	c.Check = []string{"sh", "-c", "cat " + s.Dir + "/staged/*.conf > " + seen + "; exec " + strings.Join(c.Check, " ")}
	p := nginx.New(c)
	tested := func() string {
		text, err := os.ReadFile(seen)
		check(t, err)
		return string(text)
	}
	one, two := route(t, "one", 1), route(t, "two", 1)
	for _, r := range []*proxy.Route{&one, &two} {
		r.Certificates = make([]proxy.Certificate, 1)
		r.Certificates[0], _ = s.certificate(t, r.Domains...)
	}
	check(t, p.Publish(t.Context(), one))
	if got := tested(); !strings.Contains(got, one.Certificates[0].ID+"/") {
		t.Errorf("the first certificate is not tested:\n%s", got)
	}
	check(t, publish(t.Context(), p, two))
	if got := tested(); strings.Contains(got, one.Certificates[0].ID+"/") || !strings.Contains(got, two.Certificates[0].ID+"/") {
		t.Errorf("of two certificates, nginx tests not the new one alone:\n%s", got)
	}
	// What nginx counts over all apps is still there.
	if got := tested(); !strings.Contains(got, "server_name one.example.com;") || !strings.Contains(got, "upstream one-web {") {
		t.Errorf("the second test lacks the first app:\n%s", got)
	}
	for _, r := range []proxy.Route{one, two} {
		if got, want := s.leaf(t, r.Domains[0]), certificateAt(t, r.Certificates[0].Dir); !got.Equal(want) {
			t.Errorf("%s gets the certificate of %v", r.App, got.DNSNames)
		}
	}

	// A key that is damaged later is found when nginx does not serve the files.
	c.Timeout = 9 * time.Second
	check(t, os.WriteFile(filepath.Join(s.Dir, "certificates", one.Certificates[0].ID, proxy.KeyFile), []byte("x"), 0o600))
	two.Release = 2
	err := nginx.New(c).Publish(t.Context(), two)
	if err == nil || !strings.Contains(err.Error(), one.Certificates[0].ID+"/"+proxy.KeyFile) {
		t.Errorf("with a damaged key: %v, want nginx's message with its path", err)
	}
	answersTLS(t, s, "two", 1)
}

// answersTLS checks which release answers an app's name over TLS.
func answersTLS(t *testing.T, s *secureServer, app string, release int) {
	t.Helper()
	if r, ok, err := s.Live(t.Context(), app); err != nil || !ok || r.Release != release {
		t.Errorf("live is release %d of %s, %t, %v; want %d", r.Release, app, ok, err, release)
	}
	if got := s.leaf(t, app+".example.com").DNSNames; len(got) != 1 || got[0] != app+".example.com" {
		t.Errorf("%s gets the certificate of %v", app, got)
	}
}

// TestIncludedTLS: an admin's file adds a port for TLS to a server. nginx accepts the server
// only with its certificate.
func TestIncludedTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	one, two := certified(t, "one"), route(t, "two", 1)
	one.Settings.IncludeDir = t.TempDir()
	c, _ := s.certificate(t, one.Domains...)
	one.Certificates = []proxy.Certificate{c}
	port := freePort(t)
	check(t, os.WriteFile(filepath.Join(one.Settings.IncludeDir, "port.conf"), fmt.Appendf(nil, "listen %d ssl;\n", port), 0o644))
	check(t, s.Publish(t.Context(), route(t, "other", 1))) // an app that is alone has a server without TLS
	check(t, s.Publish(t.Context(), one))
	check(t, s.Publish(t.Context(), two))
	if status, text := s.Get("two.example.com", "/"); status != 200 || text != "two 1" {
		t.Errorf("two answers %d %q", status, text)
	}
}

// TestThousandCertificates: beside 1,000 apps with a certificate each, the test of a route
// costs less than half of one that reads everything, about a fifth of it. Processor time is
// compared, in turn, since other programs run on this machine.
func TestThousandCertificates(t *testing.T) {
	s := nginxtest.NewServer(t, "")
	s.FillTLS(1000)
	s.Kill()
	s.Start()
	p, r := s.Proxy(), route(t, "hello", 0)
	cost := func(f func() error) time.Duration {
		before := childrenTime(t)
		check(t, f())
		return childrenTime(t) - before
	}
	short, whole := time.Hour, time.Hour
	for range 5 { // the best ones count
		r.Release++
		short = min(short, cost(func() error { return p.Stage(t.Context(), r) }))
		whole = min(whole, cost(func() error { return p.Validate(t.Context()) }))
	}
	t.Logf("a test costs %s of the processor, and %s with all certificates", short, whole)
	if short > whole/2 {
		t.Errorf("a test costs %s of the processor, and %s with all certificates", short, whole)
	}
}

// childrenTime is the processor time of all processes that have ended.
func childrenTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	check(t, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
