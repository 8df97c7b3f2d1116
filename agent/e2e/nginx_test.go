package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"dokku/agent/e2e/lab"
)

// through sends a request for a path as a proxy in front of nginx does.
func through(a *lab.App, path string, headers map[string]string) (status int, body string) {
	a.Lab.T.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", a.Lab.Nginx.Port, path), nil)
	lab.Must(a.Lab.T, err)
	req.Host = a.Name + ".e2e.test"
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	return a.Lab.Nginx.Do(req)
}

// TestBehindProxy: an app behind a TLS proxy sees https and the visitor's address, once
// the server's admin trusts that proxy; the deployed version goes on to run.
func TestBehindProxy(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	before := a.Instances()["web.1"]
	said := map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
	expect := func(what, want string) {
		t.Helper()
		if status, body := through(a, "/forwarded", said); status != 200 || body != want {
			t.Errorf("%s: the app sees %d %q, want %q", what, status, body, want)
		}
	}
	expect("nobody is trusted", fmt.Sprintf("127.0.0.1 http %d", l.Nginx.Port))
	l.Dokku("nginx:set", "--global", "trusted-proxies", "127.0.0.0/8")
	expect("the proxy is trusted", "203.0.113.7 https 443")
	l.Dokku("nginx:set", "--global", "trusted-proxies", "10.0.0.0/8")
	expect("another one is trusted", fmt.Sprintf("127.0.0.1 http %d", l.Nginx.Port))
	l.Dokku("nginx:set", a.Name, "x-forwarded-proto-value", "$http_x_forwarded_proto")
	expect("the app trusts everybody", fmt.Sprintf("127.0.0.1 https %d", l.Nginx.Port))
	if a.Instances()["web.1"] != before {
		t.Error("web.1 was replaced")
	}
	lab.Contains(t, l.Dokku("nginx:show-config", a.Name), "proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;")
	l.Dokku("nginx:validate-config", a.Name)
	lab.Contains(t, l.Dokku("nginx:access-logs", a.Name), `"GET /forwarded HTTP/1.1" 200`)
}

// TestLatestImageServes: dokku/APP:latest is the image that serves.
func TestLatestImageServes(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	for range 2 {
		info, err := l.Tools.Docker.ImageInspect(t.Context(), "dokku/"+a.Name+":latest")
		lab.Must(t, err)
		if image := a.Image("web.1"); info.ID != image {
			t.Errorf("latest is %s, and %s serves", info.ID, image)
		}
		a.Push(lab.Files{"greeting.txt": "Hello again"})
	}
}

// TestManyDomains: an app of a shop system, with a domain for each customer.
func TestManyDomains(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	args := []string{"domains:add", a.Name}
	for i := range 1000 {
		args = append(args, fmt.Sprintf("customer%04d.shop.example.com", i))
	}
	l.Dokku(args...)
	for _, host := range []string{args[2], args[135], args[136], args[1001], a.Name + ".e2e.test"} {
		if status, body := l.Nginx.Get(host, "/"); status != 200 || !strings.HasPrefix(body, a.Tip("main")) {
			t.Errorf("%s answers %d %q", host, status, body)
		}
	}
	a.Push(lab.Files{"version": "2"})
	a.Serves(a.Tip("main"))
}

// TestLargeHeader: an answer with 20 kB of headers.
func TestLargeHeader(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	if status, body := a.Get("/large"); status != 200 || !strings.HasPrefix(body, a.Tip("main")) {
		t.Errorf("the app answers %d %q", status, body)
	}
}

// TestFirstDomain: on a server without a global domain, the URL that the first push
// printed answers after the first domains:add, and beside another app.
func TestFirstDomain(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"domains": []string{}})
	a := l.Deployed(nil)
	host, err := os.Hostname()
	lab.Must(t, err)
	name := a.Name + "." + strings.ToLower(host)
	lab.Contains(t, l.Dokku("urls", a.Name), fmt.Sprintf("http://%s", name))
	l.Dokku("domains:add", a.Name, "www.example.com")
	l.Deployed(nil)
	for _, host := range []string{name, "www.example.com"} {
		if status, body := l.Nginx.Get(host, "/"); status != 200 || !strings.HasPrefix(body, a.Tip("main")) {
			t.Errorf("%s answers %d %q", host, status, body)
		}
	}
}

// TestNobodyHome: a visitor is told why a site does not answer.
func TestNobodyHome(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	expect := func(what string, status int, sentence string) {
		t.Helper()
		if got, body := a.Get("/"); got != status || !strings.Contains(body, sentence) {
			t.Errorf("%s: the app answers %d %q, want %d %q", what, got, body, status, sentence)
		}
	}
	l.Dokku("ps:stop", a.Name)
	expect("stopped", 503, "This site is switched off at the moment")
	l.Dokku("ps:start", a.Name)
	a.Serves(a.Tip("main"))
	l.Dokku("ps:scale", a.Name, "web=0")
	expect("scaled to none", 503, "This site is not running at the moment")
	l.Dokku("apps:destroy", a.Name, "--force")
	expect("destroyed", 404, "There is no site at this address")
}

// TestStaticListener: nginx leads to a program outside of dokku, for an app that is not
// deployed, and to a fixed address instead of a deployed app's processes.
func TestStaticListener(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "outside for %s", r.Host) }))
	defer outside.Close()
	at := outside.Listener.Addr().String()

	a := l.App(nil)
	l.Dokku("apps:create", a.Name)
	l.Dokku("network:set", a.Name, "static-web-listener", at)
	lab.Contains(t, l.Dokku("network:report", a.Name, "--network-web-listeners"), at)
	if status, body := a.Get("/"); status != http.StatusOK || !strings.HasPrefix(body, "outside for "+a.Name) {
		t.Errorf("the proxied app answers %d %s", status, body)
	}
	l.Dokku("network:set", a.Name, "static-web-listener")
	if status, body := a.Get("/"); strings.Contains(body, "outside") {
		t.Errorf("without it the app answers %d %s", status, body)
	}

	b := l.Deployed(nil)
	l.Dokku("network:set", b.Name, "static-web-listener", at)
	if _, body := b.Get("/"); !strings.HasPrefix(body, "outside for ") {
		t.Errorf("the deployed app answers %s", body)
	}
	b.Push(lab.Files{"more": "1"})
	if _, body := b.Get("/"); !strings.HasPrefix(body, "outside for ") {
		t.Errorf("after a push the app answers %s", body)
	}
	l.Dokku("network:set", b.Name, "static-web-listener")
	b.Serves(b.Tip("main"))
}

// TestBindAllInterfaces: web's port is one of the host too, beside nginx.
func TestBindAllInterfaces(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	l.Dokku("network:set", a.Name, "bind-all-interfaces", "true")
	l.Dokku("ps:restart", a.Name)
	a.Serves(a.Tip("main"))
	for _, c := range a.Serving() {
		n := slices.IndexFunc(c.Ports, func(p container.Port) bool { return p.PublicPort != 0 })
		if n < 0 {
			t.Fatalf("%v publishes %v", c.Names, c.Ports)
		}
		status, body, err := a.Ask(net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.Ports[n].PublicPort))), "/")
		if err != nil || status != http.StatusOK {
			t.Errorf("the port of the host answers %d %s (%v)", status, body, err)
		}
	}
}
