package doors_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/proxy"
	"dokku/agent/proxy/doors"
	"dokku/agent/proxy/doors/doorstest"
	"dokku/agent/proxy/memory"
	"dokku/agent/proxy/proxytest"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says fails unless the error has all parts.
func says(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

// A town is a server with two front doors.
type town struct {
	proxy.Proxy
	config   doors.Config
	here     *memory.Proxy
	one, two *memory.Proxy
	first    *doorstest.Door
	second   *doorstest.Door
}

func newTown(t testing.TB) *town {
	t.Helper()
	w := &town{here: memory.New(), one: memory.New(), two: memory.New()}
	w.first, w.second = doorstest.New(t, "one", w.one), doorstest.New(t, "two", w.two)
	dir := t.TempDir()
	w.config = doors.Config{Doors: map[string]app.FrontDoor{"one": w.first.App, "two": w.second.App}, Dir: filepath.Join(dir, "front-doors"),
		Settings: doors.Settings{Port: 80, TLSPort: 443}, Pool: doorstest.Pool(t, dir, w.first, w.second)}
	w.Proxy = doors.New(w.here, w.config)
	return w
}

func route(release int, upstreams ...string) proxy.Route {
	r := proxy.Route{App: "shop", Release: release, Domains: []string{"shop.example.com"}, Elsewhere: true}
	for _, u := range upstreams {
		r.Upstreams = append(r.Upstreams, netip.MustParseAddrPort(u))
	}
	return r
}

func live(t testing.TB, p proxy.Proxy) proxy.Route {
	t.Helper()
	r, ok, err := p.Live(t.Context(), "shop")
	if err != nil || !ok {
		t.Fatalf("no live route: %t, %v", ok, err)
	}
	return r
}

// TestContract: a server with front doors is a proxy like any other.
func TestContract(t *testing.T) {
	proxytest.Run(t, func(t *testing.T) proxytest.Bench {
		w := newTown(t)
		texts := map[netip.AddrPort]string{}
		return proxytest.Bench{
			Proxy: w.Proxy,
			Process: func(text string) netip.AddrPort {
				a := netip.MustParseAddrPort(fmt.Sprintf("10.0.0.1:%d", len(texts)+1))
				texts[a] = text
				return a
			},
			Get: func(host string) (int, string) {
				r, ok := w.here.Resolve(host)
				if !ok {
					return http.StatusNotFound, ""
				}
				if len(r.Upstreams) == 0 {
					return http.StatusServiceUnavailable, ""
				}
				return http.StatusOK, texts[r.Upstreams[0]]
			},
		}
	})
}

// TestPublish: a route of the swarm is live everywhere, and its processes' addresses are.
func TestPublish(t *testing.T) {
	w := newTown(t)
	r := route(1, "10.0.0.5:30000", "10.0.0.6:30000")
	check(t, w.Stage(t.Context(), r))
	for _, p := range []*memory.Proxy{w.here, w.one, w.two} {
		if _, ok, _ := p.Live(t.Context(), "shop"); ok {
			t.Fatal("staging published")
		}
	}
	check(t, w.Publish(t.Context(), r))
	for _, p := range []*memory.Proxy{w.here, w.one, w.two} {
		if got := live(t, p); !slices.Equal(got.Upstreams, r.Upstreams) || got.Release != 1 || got.Onward {
			t.Errorf("%+v", got)
		}
	}
	if got := live(t, w); got.Outdated || !got.Same(r) {
		t.Errorf("%+v", got)
	}
	before := w.first.Calls()
	check(t, w.Publish(t.Context(), r))
	check(t, w.Stage(t.Context(), r))
	if w.first.Calls() != before {
		t.Error("a route that is proven is sent again")
	}
	check(t, w.Withdraw(t.Context(), "shop"))
	for _, p := range []*memory.Proxy{w.here, w.one, w.two} {
		if _, ok, _ := p.Live(t.Context(), "shop"); ok {
			t.Error("it is still live")
		}
	}
}

// TestOneDoorFails: this server keeps its route until every front door has proven the new
// one, and nothing that a front door may ask is missing in Live.
func TestOneDoorFails(t *testing.T) {
	w := newTown(t)
	delete(w.config.Doors, "one") // what it has would make up for the other one
	w.Proxy = doors.New(w.here, w.config)
	check(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")))
	for name, disturb := range map[string]func(){
		"it is gone": func() { w.second.Down(true) },
		"its proxy refuses": func() {
			w.two.Fail(func(string, string) error { return errors.New("nginx refuses the configuration") })
		},
		"it dies before":        func() { w.second.Break(at("before")) },
		"it dies before answer": func() { w.second.Break(at("after")) },
	} {
		disturb()
		next := route(2, "10.0.0.6:1")
		says(t, w.Publish(t.Context(), next), "front door two (two.test): ", "dokku front-door:disable two")
		got := live(t, w)
		if got.Release != 1 || !got.Outdated {
			t.Errorf("%s: %+v", name, got)
		}
		for _, a := range []string{"10.0.0.5:1", "10.0.0.6:1"} {
			if !slices.Contains(got.Upstreams, netip.MustParseAddrPort(a)) {
				t.Errorf("%s: visitors may be sent to %s, but live are %v", name, a, got.Upstreams)
			}
		}
		w.second.Down(false)
		w.two.Fail(nil)
		w.second.Break(nil)
		check(t, w.Publish(t.Context(), next))
		if got := live(t, w); got.Outdated || !got.Same(next) || len(live(t, w.two).Upstreams) != 1 || len(got.Upstreams) != 1 {
			t.Errorf("%s, then again: %+v", name, got)
		}
		check(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")))
	}
	w.second.Down(true)
	says(t, w.Stage(t.Context(), route(3, "10.0.0.7:1")), "front door two", "connection refused")
	says(t, w.Refresh(t.Context()), "front door two")
	says(t, w.Withdraw(t.Context(), "shop"), "front door two")
	if live(t, w).Release != 1 {
		t.Error("withdrawn here alone")
	}
}

func at(when string) func(string) error {
	return func(moment string) error {
		if moment == when {
			return errors.New("killed")
		}
		return nil
	}
}

// TestOnward: what only this server reaches is asked of this server, on the same ports. A
// deploy of it does not concern the front doors, even if they are gone.
func TestOnward(t *testing.T) {
	w := newTown(t)
	r := route(1, "172.17.0.2:5000")
	r.Elsewhere = false
	r.Ports = []proxy.Port{{Host: 80}, {Host: 443, TLS: true}, {Host: 9000, Container: 7000}}
	r.Settings.Properties = map[string]string{"hsts": "true", "bind-address-ipv4": "192.0.2.1", "access-log-path": "/srv/log/shop-access.log", "error-log-path": "off"}
	r.Auth = &proxy.Auth{Allowed: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	r.Redirects = []proxy.Redirect{{From: "shop.example.com", To: "www.example.com", Code: 301}}
	check(t, w.Publish(t.Context(), r))
	got := live(t, w.one)
	want := []proxy.Port{{Host: doorstest.Port}, {Host: doorstest.TLSPort, TLS: true, Container: 443}, {Host: 9000, Container: 9000}}
	slices.SortFunc(want, func(a, b proxy.Port) int { return a.Host - b.Host })
	if !got.Onward || !slices.Equal(got.Ports, want) || len(got.Upstreams) != 1 || got.Upstreams[0].String() != "192.0.2.1:80" {
		t.Errorf("%+v", got)
	}
	if p := got.Settings.Properties; p["hsts"] != "" || p["bind-address-ipv4"] != "" || p["access-log-path"] != "/var/log/nginx/shop-access.log" || p["error-log-path"] != "off" {
		t.Error(p)
	}
	if got.Auth != nil || got.Redirects != nil {
		t.Error("the front door does what this server does anyway")
	}
	w.first.Down(true)
	w.second.Down(true)
	r.Release, r.Upstreams = 2, []netip.AddrPort{netip.MustParseAddrPort("172.17.0.3:5000")}
	check(t, w.Stage(t.Context(), r))
	check(t, w.Publish(t.Context(), r))
	if got := live(t, w); got.Outdated || got.Release != 2 || len(got.Upstreams) != 1 {
		t.Errorf("%+v", got)
	}
	r.Domains = append(r.Domains, "new.example.com")
	says(t, w.Publish(t.Context(), r), "front door one", "front door two")
}

// TestFiles: certificates, pages, users and an admin's nginx files reach the front door.
func TestFiles(t *testing.T) {
	w := newTown(t)
	dir := t.TempDir()
	write := func(name, text string) {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("cert/server.crt", "CERTIFICATE")
	write("cert/server.key", "KEY")
	write("door/server.crt", "DOOR")
	write("door/server.key", "DOORKEY")
	write("page/maintenance.html", "closed")
	write("page/img/a.svg", "image")
	write("conf/own.conf", "# one\n")
	write("conf/readme", "not for nginx")
	r := route(1, "10.0.0.5:1")
	r.Certificates = []proxy.Certificate{{ID: "0123456789abcdef", Dir: filepath.Join(dir, "cert"), Domains: r.Domains}}
	r.Entrance = &proxy.Certificate{ID: "fedcba9876543210", Dir: filepath.Join(dir, "door")}
	r.Maintenance = &proxy.Maintenance{Page: proxy.Files{ID: "abcdef0123456789", Dir: filepath.Join(dir, "page")}}
	r.Auth = &proxy.Auth{Users: map[string]string{"ann": "$6$salt$aaaaaaaa"}}
	r.Settings.IncludeDir = filepath.Join(dir, "conf")
	seen := map[string]string{}
	r2 := proxy.Route{}
	w.first.Proxy = func(doors.Settings) doors.Served { return &reading{w.one, seen, &r2} }
	check(t, w.Publish(t.Context(), r))
	for name, want := range map[string]string{"certificate/server.crt": "CERTIFICATE", "certificate/server.key": "KEY", "entrance/server.crt": "DOOR", "entrance/server.key": "DOORKEY",
		"page/maintenance.html": "closed", "page/img/a.svg": "image", "include/own.conf": "# one\n"} {
		if seen[name] != want {
			t.Errorf("%s is %q", name, seen[name])
		}
	}
	if len(seen) != 7 || r2.Auth.Users["ann"] != "$6$salt$aaaaaaaa" {
		t.Errorf("%v, %+v", seen, r2.Auth)
	}
	if left, _ := filepath.Glob(filepath.Join(w.first.Dir, "in-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if live(t, w).Outdated {
		t.Error("it is outdated")
	}
	// nginx includes the files where they are, so a change of them is one of the route.
	write("conf/own.conf", "# two\n")
	if !live(t, w).Outdated {
		t.Error("a changed file is not noticed")
	}
	check(t, w.Publish(t.Context(), r))
	if left, _ := filepath.Glob(filepath.Join(w.first.Dir, "includes", "shop", "*")); len(left) != 1 || seen["include/own.conf"] != "# two\n" {
		t.Errorf("%v, %v", left, seen)
	}
	r.Certificates[0].Dir = filepath.Join(dir, "none")
	r.Release = 2
	says(t, w.Publish(t.Context(), r), "cannot read a certificate of shop")
}

// reading is a proxy that reads the files of a route, as nginx's does.
type reading struct {
	*memory.Proxy
	seen  map[string]string
	route *proxy.Route
}

func (p *reading) Publish(ctx context.Context, r proxy.Route) error {
	*p.route = r
	for of, dir := range map[string]string{"certificate": r.Certificates[0].Dir, "entrance": r.Entrance.Dir, "page": r.Maintenance.Page.Dir, "include": r.Settings.IncludeDir} {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			p.seen[of+"/"+name] = string(text)
			return err
		})
		if err != nil {
			return err
		}
	}
	return p.Proxy.Publish(ctx, r)
}

// TestRename: a route that takes another one's place does so at the front doors.
func TestRename(t *testing.T) {
	w := newTown(t)
	check(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")))
	r := route(1, "10.0.0.5:1")
	r.App, r.Replaces = "store", "shop"
	check(t, w.Publish(t.Context(), r))
	for _, p := range []proxy.Proxy{w, w.one, w.two} {
		if _, ok, _ := p.Live(t.Context(), "shop"); ok {
			t.Error("the former name is live")
		}
		if r, ok, _ := p.Live(t.Context(), "store"); !ok || r.Outdated {
			t.Errorf("the new name: %t, %+v", ok, r)
		}
	}
}

// TestLook: a front door that lost a route, has another one or has one too many is found.
func TestLook(t *testing.T) {
	w := newTown(t)
	look := func() doors.Report {
		t.Helper()
		r, err := w.config.Look(t.Context(), "one", w.first.App, true)
		check(t, err)
		return r
	}
	check(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")))
	if r := look(); len(r.Doubted) > 0 || !slices.Equal(r.Apps, []string{"shop"}) || r.Version != "test" || r.Off.Abs().Seconds() > 1 {
		t.Errorf("%+v", r)
	}
	check(t, w.one.Withdraw(t.Context(), "shop"))
	check(t, w.one.Publish(t.Context(), proxy.Route{App: "old", Domains: []string{"old.example.com"}}))
	if r := look(); !slices.Equal(r.Doubted, []string{"shop"}) || !slices.Equal(r.Apps, []string{"old"}) {
		t.Errorf("%+v", r)
	}
	if !live(t, w).Outdated {
		t.Error("it is not outdated")
	}
	check(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")))
	check(t, w.config.Remove(t.Context(), "one", w.first.App, "old"))
	check(t, w.one.Publish(t.Context(), route(9, "10.9.9.9:1")))
	if r := look(); !slices.Equal(r.Doubted, []string{"shop"}) || !slices.Equal(r.Apps, []string{"shop"}) {
		t.Errorf("%+v", r)
	}
}

// TestSettings: other settings of the server make every route outdated, until Refresh.
func TestSettings(t *testing.T) {
	w := newTown(t)
	check(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")))
	w.config.Settings.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	w.Proxy = doors.New(w.here, w.config)
	if !live(t, w).Outdated {
		t.Error("it is not outdated")
	}
	check(t, w.Refresh(t.Context()))
	if live(t, w).Outdated {
		t.Error("it is outdated")
	}
}

// TestDisabled: nothing is sent to a disabled front door.
func TestDisabled(t *testing.T) {
	w := newTown(t)
	d := w.second.App
	d.Disabled = true
	w.config.Doors["two"] = d
	w.second.Down(true)
	w.Proxy = doors.New(w.here, w.config)
	check(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")))
	if live(t, w).Outdated || live(t, w.one).Release != 1 {
		t.Error("not published")
	}
}
