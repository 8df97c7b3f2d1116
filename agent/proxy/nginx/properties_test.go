package nginx_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// TestBindAddress: an app that is bound to an address of the host is not there at
// another one, and every other app and the proof of the generation are everywhere.
func TestBindAddress(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	bound := route(t, "bound", 1)
	bound.Settings.Properties = map[string]string{"bind-address-ipv4": "127.0.0.2"}
	check(t, p.Publish(t.Context(), bound))
	check(t, p.Publish(t.Context(), route(t, "other", 1)))
	at := func(address, host string) string {
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s:%d/", address, s.Port), nil)
		check(t, err)
		req.Host = host
		status, text := s.Do(req)
		return fmt.Sprint(status, " ", text)
	}
	for _, c := range []struct{ address, host, want string }{
		{"127.0.0.2", "bound.example.com", "200 bound 1"},
		{"127.0.0.1", "bound.example.com", "There is no site at this address"},
		{"[::1]", "bound.example.com", "200 bound 1"}, // the other family is not bound
		{"127.0.0.2", "other.example.com", "200 other 1"},
		{"127.0.0.1", "other.example.com", "200 other 1"},
	} {
		if got := at(c.address, c.host); !strings.Contains(got, c.want) {
			t.Errorf("%s at %s answers %q, want %q", c.host, c.address, got, c.want)
		}
	}
	bound.Settings.Properties["bind-address-ipv6"] = "[::2]"
	check(t, p.Publish(t.Context(), bound))
	if got := at("[::1]", "bound.example.com"); !strings.Contains(got, "404") {
		t.Errorf("bound to ::2, it answers at ::1: %q", got)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	check(t, os.WriteFile(filepath.Join(s.Etc, "conf.d", "00-formats.conf"), []byte("log_format short '$request $status';\n"), 0o644))
	r := route(t, "hello", 1)
	path := filepath.Join(s.Logs, "hello-access.log")
	r.Settings.Properties = map[string]string{"access-log-path": path, "access-log-format": "short", "error-log-path": filepath.Join(s.Logs, "hello-error.log")}
	check(t, s.Proxy().Publish(t.Context(), r))
	s.Get("hello.example.com", "/found")
	nginxtest.Eventually(t, "the request is logged", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && string(text) == "GET /found HTTP/1.1 200\n"
	})
	r.Settings.Properties["access-log-path"] = proxy.Off
	r.Settings.Properties["error-log-path"] = proxy.Off
	check(t, s.Proxy().Publish(t.Context(), r))
	s.Get("hello.example.com", "/lost")
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "lost") {
		t.Errorf("the log has %q, %v", text, err)
	}
	r.Settings.Properties = map[string]string{"access-log-path": path, "access-log-format": "nosuch"}
	if err := s.Proxy().Stage(t.Context(), r); err == nil || !strings.Contains(err.Error(), `unknown log format "nosuch"`) {
		t.Errorf("a log format that nginx does not know: got error %v", err)
	}
}

// TestKeepalive: connections to a process are kept if somebody asks for it.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Connection")+"|"+r.Header.Get("Under_score"))
	})}
	r.Settings.Properties = map[string]string{"proxy-keepalive": "4", "underscore-in-headers": "on"}
	check(t, s.Proxy().Publish(t.Context(), r))
	if got := body(t, request(t, s, "hello.example.com", "Under_score", "1")); got != "|1" {
		t.Errorf("the process gets %q, want no Connection header, and the one with an underscore", got)
	}
}

// TestUpdate: the files that an earlier version wrote are read, the routes are outdated,
// and one change of any app writes all of them anew in one reload.
func TestUpdate(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	hello, other := route(t, "hello", 1), route(t, "other", 1)
	check(t, p.Publish(t.Context(), hello))
	check(t, p.Publish(t.Context(), other))
	for _, app := range []string{"hello", "other"} {
		path := filepath.Join(s.Dir, "live", app+".conf")
		text, err := os.ReadFile(path)
		check(t, err)
		check(t, os.Remove(path)) // it may be a link to the file of an earlier tree
		check(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "64k", "16k")), 0o644))
		if r, ok, err := p.Live(t.Context(), app); err != nil || !ok || !r.Outdated {
			t.Errorf("an older file of %s: %+v, %t, %v; want an outdated route", app, r, ok, err)
		}
	}
	if live, _, _ := p.Live(t.Context(), "hello"); live.Same(hello) {
		t.Error("an outdated route is the same")
	}
	check(t, p.Publish(t.Context(), hello))
	for _, r := range []proxy.Route{hello, other} {
		if live, ok, err := p.Live(t.Context(), r.App); err != nil || !ok || live.Outdated || !live.Same(r) {
			t.Errorf("after one publish: %+v, %t, %v; want %+v", live, ok, err, r)
		}
	}
	answers(t, s, "other", 1)

	// Another setting of the proxy itself makes all routes outdated, and Refresh none.
	c := s.Config()
	c.Trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	q := nginx.New(c)
	if live, _, err := q.Live(t.Context(), "other"); err != nil || !live.Outdated {
		t.Errorf("without the setting: %+v, %v; want an outdated route", live, err)
	}
	check(t, q.Refresh(t.Context()))
	if live, _, err := q.Live(t.Context(), "other"); err != nil || live.Outdated {
		t.Errorf("with the setting: %+v, %v; want no outdated route", live, err)
	}
	answers(t, s, "hello", 1)
}

// TestUpdateRefused: an app whose own files nginx refuses beside the new ones keeps its
// old file, and stops no other app.
func TestUpdateRefused(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	include := filepath.Join(filepath.Dir(s.Etc), "include")
	check(t, os.Mkdir(include, 0o755))
	hello := route(t, "hello", 1)
	hello.Settings.IncludeDir = include
	check(t, s.Proxy().Publish(t.Context(), hello))
	check(t, os.WriteFile(filepath.Join(include, "mine.conf"), []byte("real_ip_header X-Real-IP;\n"), 0o644))
	c := s.Config()
	c.Trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	p := nginx.New(c)
	if err := p.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "real_ip_header") {
		t.Errorf("a directive that the app's own file has: got error %v", err)
	}
	check(t, p.Publish(t.Context(), route(t, "other", 1)))
	answers(t, s, "hello", 1)
	if r, ok, err := p.Live(t.Context(), "other"); err != nil || !ok || r.Outdated {
		t.Errorf("live is %+v, %t, %v", r, ok, err)
	}
	if r, ok, err := p.Live(t.Context(), "hello"); err != nil || !ok || !r.Outdated {
		t.Errorf("live is %+v, %t, %v; want an outdated route", r, ok, err)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	if _, ok, err := p.Configuration(t.Context(), "hello"); ok || err != nil {
		t.Errorf("of an app without a route: %t, %v", ok, err)
	}
	check(t, p.Publish(t.Context(), route(t, "hello", 1)))
	if text, ok, err := p.Configuration(t.Context(), "hello"); !ok || err != nil || !strings.Contains(text, "server_name hello.example.com;") {
		t.Errorf("got %q, %t, %v", text, ok, err)
	}
	check(t, p.Validate(t.Context()))
	check(t, os.WriteFile(filepath.Join(s.Etc, "conf.d", "wrong.conf"), []byte("nosuch on;\n"), 0o644))
	if err := p.Validate(t.Context()); err == nil || !strings.Contains(err.Error(), `unknown directive "nosuch"`) {
		t.Errorf("a configuration with a mistake: got error %v", err)
	}
}
