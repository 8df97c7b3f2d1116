package nginx_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// exchange sends a request to a host and does not follow redirects.
func exchange(t *testing.T, s *nginxtest.Server, method, host, path string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", s.Port, path), nil)
	check(t, err)
	req.Host = host
	for _, f := range change {
		f(req)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp, string(body)
}

func answersChallenge(t *testing.T, s *nginxtest.Server, host string) {
	t.Helper()
	if resp, body := exchange(t, s, "GET", host, challenge); resp.StatusCode != 200 || body != token+"."+thumbprint {
		t.Errorf("the challenge of %s is answered with %d %q", host, resp.StatusCode, body)
	}
}

// TestMaintenance: nobody reaches the processes, whatever the request; a CA does get its
// answer. The same holds while nothing runs.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "css"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, proxy.MaintenancePage), []byte("own page"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "css", "a.css"), []byte("body {}"), 0o600))
	include := t.TempDir()
	check(t, os.WriteFile(filepath.Join(include, "own.conf"), []byte("location /own { return 200 leak; }"), 0o600))

	running := route(t, "hello", 1)
	running.Challenge, running.Settings.IncludeDir = thumbprint, include
	stopped := running
	stopped.Upstreams, stopped.Stopped = nil, true
	for name, r := range map[string]proxy.Route{"running": running, "stopped": stopped} {
		for page, want := range map[string]string{"": "down for maintenance", "00112233aabbccdd": "own page"} {
			r.Maintenance = &proxy.Maintenance{Page: proxy.Files{ID: page}}
			if page != "" {
				r.Maintenance.Page.Dir = dir
			}
			check(t, s.Proxy().Publish(t.Context(), r))
			for _, path := range []string{"/", "/deep/path?a=b", "/own", "/maintenance.html", "/css/", "/.dokku/x"} {
				for _, method := range []string{"GET", "POST", "HEAD", "DELETE"} {
					resp, body := exchange(t, s, method, "hello.example.com", path)
					if resp.StatusCode != 503 || method != "HEAD" && !strings.Contains(body, want) ||
						resp.Header.Get("Retry-After") != "60" || resp.Header.Get("Cache-Control") != "no-store" ||
						resp.Header.Get("Content-Type") != "text/html" {
						t.Errorf("%s, page %q: %s %s is answered with %d %v %q", name, page, method, path, resp.StatusCode, resp.Header, body)
					}
				}
			}
			answersChallenge(t, s, "hello.example.com")
		}
		resp, body := exchange(t, s, "GET", "hello.example.com", "/css/a.css")
		if resp.StatusCode != 200 && resp.StatusCode != 503 || resp.Header.Get("Cache-Control") != "no-store" || resp.StatusCode == 200 && body != "body {}" {
			t.Errorf("%s: the page's style is answered with %d %v %q", name, resp.StatusCode, resp.Header, body)
		}
	}
	r := running
	r.Maintenance = &proxy.Maintenance{Page: proxy.Files{ID: "00112233aabbccdd", Dir: dir}}
	check(t, s.Proxy().Publish(t.Context(), r))
	if resp, body := exchange(t, s, "GET", "hello.example.com", "/css/a.css"); resp.StatusCode != 200 || body != "body {}" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the page's style is answered with %d %v %q", resp.StatusCode, resp.Header, body)
	}
	check(t, s.Proxy().Publish(t.Context(), running))
	if resp, body := exchange(t, s, "GET", "hello.example.com", "/"); resp.StatusCode != 200 || body != "hello 1" {
		t.Errorf("after the maintenance the app answers %d %q", resp.StatusCode, body)
	}
}

// TestAuth: a name with its password, or an address, gets in.
func TestAuth(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.MinCost)
	check(t, err)
	users := map[string]string{"ann": string(hash)}
	here, elsewhere := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, c := range []struct {
		what           string
		auth           *proxy.Auth
		without, right int
	}{
		{"no auth", nil, 200, 200},
		{"a user", &proxy.Auth{Users: users}, 401, 200},
		{"nobody", &proxy.Auth{}, 401, 401},
		{"this address", &proxy.Auth{Allowed: here}, 200, 200},
		{"another address", &proxy.Auth{Allowed: elsewhere}, 403, 403},
		{"a user or this address", &proxy.Auth{Users: users, Allowed: here}, 200, 200},
		{"a user or another address", &proxy.Auth{Users: users, Allowed: elsewhere}, 401, 200},
	} {
		r := route(t, "hello", 1)
		r.Challenge, r.Auth = thumbprint, c.auth
		check(t, s.Proxy().Publish(t.Context(), r))
		wrong := c.without
		for password, want := range map[string]int{"": c.without, "s3cret": c.right, "wrong": wrong} {
			resp, body := exchange(t, s, "GET", "hello.example.com", "/", func(req *http.Request) {
				if password != "" {
					req.SetBasicAuth("ann", password)
				}
			})
			if resp.StatusCode != want || strings.HasPrefix(body, "hello 1") != (want == 200) || (resp.Header.Get("WWW-Authenticate") != "") != (want == 401) {
				t.Errorf("%s, password %q: %d %q, want %d", c.what, password, resp.StatusCode, body, want)
			}
		}
		answersChallenge(t, s, "hello.example.com")
		if text, _, err := s.Proxy().Configuration(t.Context(), "hello"); err != nil || strings.Contains(text, string(hash)) {
			t.Errorf("%s: the configuration has the hash, or %v", c.what, err)
		}
	}
}

// TestAuthDomains: visitors are asked at the listed domains alone, whatever the port, and by
// the host's own names too. A CA gets its answers everywhere.
func TestAuthDomains(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	r.Challenge, r.Domains = thumbprint, []string{"admin.example.com", "www.example.com", "*.example.org"}
	asks := func(host string, want bool) {
		t.Helper()
		status := map[bool]int{true: 401, false: 200}[want]
		if resp, body := exchange(t, s, "GET", host, "/"); resp.StatusCode != status {
			t.Errorf("%s: %d %q, want %d", host, resp.StatusCode, body, status)
		}
		if host != "localhost" {
			answersChallenge(t, s, host)
		}
	}
	for _, c := range []struct {
		listed             []string
		admin, www, a, own bool
	}{
		{nil, true, true, true, true},
		{[]string{"admin.example.com"}, true, false, false, true},
		{[]string{"*.example.org", "www.example.com"}, false, true, true, true},
		{r.Domains, true, true, true, true},
	} {
		r.Auth = &proxy.Auth{Domains: c.listed}
		check(t, s.Proxy().Publish(t.Context(), r))
		asks("admin.example.com", c.admin)
		asks("www.example.com", c.www)
		asks("a.example.org", c.a)
		asks("localhost", c.own)
		live, _, err := s.Proxy().Live(t.Context(), "hello")
		check(t, err)
		if live.Auth == nil || !slices.Equal(live.Auth.Domains, c.listed) {
			t.Errorf("%v: read back %+v", c.listed, live.Auth)
		}
	}
	r.Auth = &proxy.Auth{Domains: []string{"other.example.com"}}
	if err := s.Proxy().Publish(t.Context(), r); err == nil || !strings.Contains(err.Error(), `at "other.example.com", which is no domain of the app's`) {
		t.Errorf("a foreign domain: %v", err)
	}
}

// TestFilesOfWorkers: nginx's workers, which run as another user, can read what they need,
// whatever the modes of the originals. Nobody can list the folders' names. What no route
// needs is removed.
func TestFilesOfWorkers(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, proxy.MaintenancePage), []byte("own page"), 0o600))
	r := route(t, "hello", 1)
	r.Maintenance = &proxy.Maintenance{Page: proxy.Files{ID: "00112233aabbccdd", Dir: dir}}
	r.Auth = &proxy.Auth{Users: map[string]string{"ann": "$6$salt$aaaaaaaaaaaaaaaa"}}
	check(t, s.Proxy().Publish(t.Context(), r))
	files := s.Config().Files
	for path, want := range map[string]os.FileMode{
		"": 0o711, "00112233aabbccdd": 0o755, "00112233aabbccdd/maintenance.html": 0o644,
	} {
		if info, err := os.Stat(filepath.Join(files, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	// In maintenance nobody is asked for a password.
	entries, err := os.ReadDir(files)
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("%d folders are kept, want the page's alone", len(entries))
	}
	r.Maintenance = nil
	check(t, s.Proxy().Publish(t.Context(), r))
	lists, err := filepath.Glob(filepath.Join(files, strings.Repeat("?", 64), "users"))
	check(t, err)
	if len(lists) != 1 {
		t.Fatalf("the lists of users are %v", lists)
	}
	if info, err := os.Stat(lists[0]); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the list of users: mode %v, %v", info.Mode(), err)
	}
	// The tree before the live one is kept with all that it names.
	check(t, s.Proxy().Publish(t.Context(), route(t, "other", 1)))
	check(t, s.Proxy().Withdraw(t.Context(), "hello"))
	check(t, s.Proxy().Withdraw(t.Context(), "other"))
	if entries, err := os.ReadDir(files); err != nil || len(entries) > 0 {
		t.Errorf("after the last route: %v, %v", entries, err)
	}
}

// TestRedirectedDomain: a domain leads to another one, with the rest of the URL; a CA that asks for
// it gets its answer.
func TestRedirectedDomain(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	r.Domains = append(r.Domains, "old.example.com", "other.example.com")
	r.Challenge = thumbprint
	r.Redirects = []proxy.Redirect{{From: "old.example.com", To: "hello.example.com", Code: 301}, {From: "other.example.com", To: "new.example.org", Code: 307}}
	r.Auth = &proxy.Auth{} // whoever is sent on is not asked for a password first
	check(t, s.Proxy().Publish(t.Context(), r))
	for host, want := range map[string]string{
		"old.example.com":   "301 http://hello.example.com/a%20b?c=d&e",
		"OLD.example.com":   "301 http://hello.example.com/a%20b?c=d&e",
		"other.example.com": "307 http://new.example.org/a%20b?c=d&e",
		"hello.example.com": "401 ",
	} {
		resp, _ := exchange(t, s, "GET", host, "/a%20b?c=d&e")
		if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location")); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
		answersChallenge(t, s, host)
	}
}

// TestSharedFiles: pages and users that are changed at the same time take effect in one
// reload, by whichever call carries them out.
func TestSharedFiles(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, proxy.MaintenancePage), []byte("own page"), 0o600))
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.MinCost)
	check(t, err)
	works, members := route(t, "works", 1), route(t, "members", 1)
	works.Maintenance = &proxy.Maintenance{Page: proxy.Files{ID: "00112233aabbccdd", Dir: dir}}
	members.Auth = &proxy.Auth{Users: map[string]string{"ann": string(hash)}}
	var results []<-chan error
	for n, r := range []proxy.Route{works, members} {
		results = append(results, c.call(t, n+1, func() error { return nginx.New(c.config).Publish(t.Context(), r) }))
	}
	c.release()
	for _, r := range results {
		check(t, <-r)
	}
	if got := c.ran(); got != "cr" {
		t.Errorf("two calls run %q, want one test and one reload", got)
	}
	if resp, body := exchange(t, c.Server, "GET", "works.example.com", "/"); resp.StatusCode != 503 || body != "own page" {
		t.Errorf("the app in maintenance answers %d %q", resp.StatusCode, body)
	}
	resp, body := exchange(t, c.Server, "GET", "members.example.com", "/", func(r *http.Request) { r.SetBasicAuth("ann", "s3cret") })
	if resp.StatusCode != 200 || body != "members 1" {
		t.Errorf("the app with a password answers %d %q", resp.StatusCode, body)
	}
	c.nothingWaits(t)
}
