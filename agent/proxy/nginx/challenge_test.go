package nginx_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx/nginxtest"
)

// thumbprint is an example of RFC 7638 (section 3.1), token one of RFC 8555 (section 8.3).
const (
	thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	token      = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
	challenge  = "/.well-known/acme-challenge/" + token
)

// certified returns a route that answers challenges.
func certified(t *testing.T, app string) proxy.Route {
	r := route(t, app, 1)
	r.Challenge = thumbprint
	return r
}

// proves checks that a CA that asks under a name gets its proof.
func proves(t *testing.T, s *nginxtest.Server, host string) {
	t.Helper()
	if status, text := s.Get(host, challenge); status != 200 || text != token+"."+thumbprint {
		t.Errorf("a challenge for %s is answered with %d %q", host, status, text)
	}
}

// TestChallenge: nginx answers the challenges of a CA for every name of an app, whether it
// runs or not. All other requests reach the app.
func TestChallenge(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	r := certified(t, "hello")
	r.Domains = []string{"hello.example.com", "*.hello.example.com", "192.0.2.7"}
	check(t, p.Publish(t.Context(), r))
	for _, host := range []string{"hello.example.com", "a.hello.example.com", "HELLO.example.com:80", "192.0.2.7", "198.51.100.7", "[::1]", "localhost"} {
		proves(t, s, host)
	}
	if status, text := s.Get("hello.example.com", "/.well-known/acme-challenge/a"); status != 200 || text != "a."+thumbprint {
		t.Errorf("another token is answered with %d %q", status, text)
	}
	for _, path := range []string{
		"/", challenge + "/", challenge + ".", challenge + "%22", challenge + "%0a", "/a" + challenge, "/.well-known/acme-challenge/", "/xwell-known/acme-challenge/a",
	} {
		if status, text := s.Get("hello.example.com", path); status != 200 || text != "hello 1" {
			t.Errorf("%s is answered with %d %q, want the app", path, status, text)
		}
	}
	live, ok, err := p.Live(t.Context(), "hello")
	if err != nil || !ok || live.Outdated || live.Challenge != thumbprint {
		t.Errorf("live is %+v, %t, %v", live, ok, err)
	}
	stopped := r
	stopped.Upstreams, stopped.Stopped = nil, true
	check(t, p.Publish(t.Context(), stopped))
	proves(t, s, "hello.example.com")
	showsPage(t, s, "hello.example.com", 503, "60", "This site is switched off at the moment")
	r.Challenge = ""
	check(t, p.Publish(t.Context(), r))
	if status, text := s.Get("hello.example.com", challenge); status != 200 || text != "hello 1" {
		t.Errorf("without a thumbprint, a challenge is answered with %d %q, want the app", status, text)
	}
	all := certified(t, "all")
	all.Domains = []string{proxy.CatchAll}
	check(t, p.Publish(t.Context(), all))
	proves(t, s, "unknown.example.com")
	proves(t, s, "192.0.2.8")
}

// TestChallengeOverTLS: a CDN in front may ask over TLS, and a plain challenge is never
// redirected.
func TestChallengeOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	r := certified(t, "shop")
	c, leaf := s.certificate(t, r.Domains...)
	r.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), r))
	proves(t, s.Server, "shop.example.com")
	resp, err := s.client(leaf).Get(fmt.Sprintf("https://shop.example.com:%d%s", s.config.TLSPort, challenge))
	check(t, err)
	if got := body(t, resp); resp.StatusCode != 200 || got != token+"."+thumbprint {
		t.Errorf("over TLS: %d %q", resp.StatusCode, got)
	}
	if resp := s.plain(t, "shop.example.com", "/", "127.0.0.1"); resp.StatusCode != http.StatusMovedPermanently {
		t.Errorf("any other request: %d, want a redirect", resp.StatusCode)
	}
}

// TestChallengeInPortsOfItsOwn: a CA asks on the main port, also for an app that is not
// there. Visitors find no more there than before.
func TestChallengeInPortsOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	r := certified(t, "shop")
	r.Domains = []string{"shop.example.com", "*.shop.example.com", proxy.CatchAll}
	c, _ := s.certificate(t, "shop.example.com")
	r.Certificates = []proxy.Certificate{c}
	for _, ports := range [][]proxy.Port{{{Host: s.config.TLSPort, TLS: true}}, {{Host: freePort(t)}}} {
		r.Ports = ports
		check(t, s.Publish(t.Context(), r))
		proves(t, s.Server, "shop.example.com")
		for _, host := range []string{"shop.example.com", "a.shop.example.com", "unknown.example.com"} {
			showsPage(t, s.Server, host, 404, "", "There is no site at this address")
		}
	}
	r.Challenge = ""
	check(t, s.Publish(t.Context(), r))
	showsPage(t, s.Server, "shop.example.com", 404, "", "There is no site at this address")
}

// TestChallengeOfAProtectedApp: nothing in an admin's own files keeps a CA out, and none of
// them is refused.
func TestChallengeOfAProtectedApp(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	r := certified(t, "hello")
	r.Settings.IncludeDir = filepath.Join(filepath.Dir(s.Etc), "nginx.conf.d")
	check(t, os.Mkdir(r.Settings.IncludeDir, 0o755))
	users := filepath.Join(r.Settings.IncludeDir, "users")
	check(t, os.WriteFile(users, []byte("ann:{PLAIN}secret\n"), 0o644))
	for name, c := range map[string]struct {
		file   string
		status int // of any other path
	}{
		"password":         {"auth_basic hello;\nauth_basic_user_file " + users + ";\n", 401},
		"addresses":        {"deny all;\n", 403},
		"maintenance":      {"return 503;\n", 503},
		"condition":        {"if ($http_cookie !~ secret) {\n    return 403;\n}\n", 403},
		"rewrite":          {"rewrite ^ /elsewhere;\nlocation /elsewhere {\n    return 410;\n}\n", 410},
		"redirect":         {"return 301 https://www.example.com$request_uri;\n", 301},
		"Dokku's plugin":   {"location /.well-known/acme-challenge {\n    proxy_pass http://127.0.0.1:1;\n}\n", 200},
		"an exact folder":  {"location ^~ /.well-known/acme-challenge/ {\n    deny all;\n}\n", 200},
		"the same pattern": {"location ~ ^/\\.well-known/acme-challenge/([A-Za-z0-9_-]+)$ {\n    return 404;\n}\n", 200},
		"hidden files":     {"location ~ /\\. {\n    deny all;\n}\n", 200},
		"another address":  {"", 404},
	} {
		r.Settings.Properties = nil
		if c.file == "" {
			r.Settings.Properties = map[string]string{"bind-address-ipv4": "127.0.0.2"}
		}
		check(t, os.WriteFile(filepath.Join(r.Settings.IncludeDir, "own.conf"), []byte(c.file), 0o644))
		r.Release++
		check(t, p.Publish(t.Context(), r))
		if status, text := s.Get("hello.example.com", challenge); status != 200 || text != token+"."+thumbprint {
			t.Errorf("%s: a challenge is answered with %d %q", name, status, text)
		}
		if status, _ := s.Get("hello.example.com", "/"); status != c.status {
			t.Errorf("%s: the app answers %d, want %d", name, status, c.status)
		}
	}
}

// TestChallengeFile: every server block of an app has the challenges, and before anything
// that could answer.
func TestChallengeFile(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	r := certified(t, "shop")
	r.Domains = append(r.Domains, "plain.example.com")
	c, _ := s.certificate(t, "shop.example.com")
	r.Certificates = []proxy.Certificate{c}
	r.Settings.Properties = map[string]string{"bind-address-ipv4": "127.0.0.2"}
	check(t, s.Publish(t.Context(), r))
	text, _, err := s.Configuration(t.Context(), "shop")
	check(t, err)
	blocks := strings.Split(text, "\nserver {")[1:]
	if len(blocks) != 2 || slices.ContainsFunc(blocks, func(b string) bool {
		first := strings.Index(b, "if (")
		return first < 0 || !strings.HasPrefix(b[first:], `if ($uri ~ "^/\.well-known/acme-challenge/([A-Za-z0-9_-]+)\z")`)
	}) {
		t.Errorf("%d servers; got\n%s", len(blocks), text)
	}
}
