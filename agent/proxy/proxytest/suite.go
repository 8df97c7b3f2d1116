package proxytest

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"dokku/agent/proxy"
)

// Bench is an implementation under test, without any route.
type Bench struct {
	Proxy proxy.Proxy

	// Process returns the address of a web process that answers text.
	Process func(text string) netip.AddrPort

	// Get requests "/" under a name, over a new connection.
	Get func(host string) (status int, body string)
}

// Run runs the suite. open is called for each test, and they run in parallel.
func Run(t *testing.T, open func(t *testing.T) Bench) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Bench)
	}{
		{"publish", testPublish},
		{"stage changes nothing", testStage},
		{"withdraw", testWithdraw},
		{"no process", testNoProcess},
		{"a domain belongs to one app", testConflict},
		{"one app takes another one's place", testReplaces},
		{"wildcards", testWildcards},
		{"catch-all", testCatchAll},
		{"1,000 domains", testManyDomains},
		{"refresh", testRefresh},
		{"by address", testAddress},
		{"long names", testLongNames},
		{"hostile routes", testHostile},
		{"cancelled", testCancelled},
		{"at the same time", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func testPublish(t *testing.T, b Bench) {
	b.notLive(t, "hello")
	for release := 1; release <= 3; release++ {
		r := b.route("hello", release, "hello.example.com", "Other.Example.com")
		must(t, b.Proxy.Publish(t.Context(), r))
		b.answers(t, "hello.example.com", fmt.Sprint("hello ", release))
		b.answers(t, "OTHER.example.com:8080", fmt.Sprint("hello ", release))
		b.live(t, r)
		must(t, b.Proxy.Publish(t.Context(), r))
		b.live(t, r)
	}
}

func testStage(t *testing.T, b Bench) {
	first, second := b.route("hello", 1, "hello.example.com"), b.route("hello", 2, "hello.example.com")
	must(t, b.Proxy.Stage(t.Context(), first))
	b.notLive(t, "hello")
	b.silent(t, "hello.example.com")
	must(t, b.Proxy.Publish(t.Context(), first))
	must(t, b.Proxy.Stage(t.Context(), second))
	b.live(t, first)
	b.answers(t, "hello.example.com", "hello 1")

	// Another app in between: the staged tree is out of date.
	must(t, b.Proxy.Publish(t.Context(), b.route("other", 1, "other.example.com")))
	must(t, b.Proxy.Publish(t.Context(), second))
	b.answers(t, "hello.example.com", "hello 2")
	b.answers(t, "other.example.com", "other 1")
}

func testWithdraw(t *testing.T, b Bench) {
	must(t, b.Proxy.Withdraw(t.Context(), "hello"))
	must(t, b.Proxy.Publish(t.Context(), b.route("hello", 1, "hello.example.com")))
	must(t, b.Proxy.Publish(t.Context(), b.route("other", 1, "other.example.com")))
	for range 2 {
		must(t, b.Proxy.Withdraw(t.Context(), "hello"))
		b.notLive(t, "hello")
		b.silent(t, "hello.example.com")
		b.answers(t, "other.example.com", "other 1")
	}
	must(t, b.Proxy.Publish(t.Context(), b.route("hello", 2, "hello.example.com")))
	b.answers(t, "hello.example.com", "hello 2")
}

func testNoProcess(t *testing.T, b Bench) {
	r := b.route("hello", 1, "hello.example.com")
	must(t, b.Proxy.Publish(t.Context(), r))
	stopped := r
	stopped.Upstreams = nil
	must(t, b.Proxy.Publish(t.Context(), stopped))
	b.status(t, "hello.example.com", http.StatusServiceUnavailable)
	b.live(t, stopped)
	stopped.Stopped = true
	must(t, b.Proxy.Publish(t.Context(), stopped))
	b.status(t, "hello.example.com", http.StatusServiceUnavailable)
	if r, _, err := b.Proxy.Live(t.Context(), "hello"); err != nil || !r.Stopped {
		t.Errorf("live is %+v, %v; want a stopped app", r, err)
	}
	must(t, b.Proxy.Publish(t.Context(), r))
	b.answers(t, "hello.example.com", "hello 1")
}

func testConflict(t *testing.T, b Bench) {
	must(t, b.Proxy.Publish(t.Context(), b.route("hello", 1, "hello.example.com", "*.hello.example.com")))
	thief := b.route("thief", 1, "thief.example.com", "HELLO.example.com")
	for _, call := range []func(context.Context, proxy.Route) error{b.Proxy.Stage, b.Proxy.Publish} {
		err := call(t.Context(), thief)
		if err == nil || !strings.Contains(err.Error(), "hello.example.com belongs to app hello") {
			t.Errorf("a second app with the same domain: got error %v", err)
		}
		b.notLive(t, "thief")
		b.silent(t, "thief.example.com")
		b.answers(t, "hello.example.com", "hello 1")
	}
	must(t, b.Proxy.Publish(t.Context(), b.route("hello", 2, "new.example.com")))
	must(t, b.Proxy.Publish(t.Context(), thief))
	b.answers(t, "hello.example.com", "thief 1")
	b.answers(t, "new.example.com", "hello 2")
}

func testReplaces(t *testing.T, b Bench) {
	old := b.route("hello", 1, "hello.example.com", "www.example.com")
	must(t, b.Proxy.Publish(t.Context(), old))
	must(t, b.Proxy.Publish(t.Context(), b.route("other", 1, "other.example.com")))
	r := b.route("world", 1, "world.example.com", "www.example.com")
	if err := b.Proxy.Stage(t.Context(), r); err == nil {
		t.Error("another app's domain is staged")
	}
	r.Replaces = "hello"
	must(t, b.Proxy.Stage(t.Context(), r))
	b.live(t, old)
	b.notLive(t, "world")
	for range 2 {
		must(t, b.Proxy.Publish(t.Context(), r))
		b.live(t, r)
		b.notLive(t, "hello")
		b.answers(t, "www.example.com", "world 1")
		b.answers(t, "world.example.com", "world 1")
		b.silent(t, "hello.example.com")
		b.answers(t, "other.example.com", "other 1")
	}
	must(t, b.Proxy.Publish(t.Context(), b.route("hello", 1, "hello.example.com")))
	b.answers(t, "hello.example.com", "hello 1")
	b.answers(t, "www.example.com", "world 1")
}

func testWildcards(t *testing.T, b Bench) {
	must(t, b.Proxy.Publish(t.Context(), b.route("wild", 1, "*.example.com")))
	must(t, b.Proxy.Publish(t.Context(), b.route("exact", 1, "exact.example.com", "*.sub.example.com")))
	for host, want := range map[string]string{
		"a.example.com": "wild 1", "b.a.example.com": "wild 1",
		"exact.example.com": "exact 1", "a.sub.example.com": "exact 1", "sub.example.com": "wild 1",
	} {
		b.answers(t, host, want)
	}
	b.silent(t, "example.com")
}

func testCatchAll(t *testing.T, b Bench) {
	must(t, b.Proxy.Publish(t.Context(), b.route("all", 1, "all.example.com", "_")))
	must(t, b.Proxy.Publish(t.Context(), b.route("aaa", 1, "aaa.example.com", "*.aaa.example.com")))
	for host, want := range map[string]string{
		"all.example.com": "all 1", "nobody.example.org": "all 1", "localhost": "all 1", "192.0.2.7": "all 1", "[::1]": "all 1",
		"aaa.example.com": "aaa 1", "b.aaa.example.com": "aaa 1",
	} {
		b.answers(t, host, want)
	}
	if err := b.Proxy.Stage(t.Context(), b.route("second", 1, "_")); err == nil {
		t.Error("a second app that answers everything is staged")
	}
	must(t, b.Proxy.Withdraw(t.Context(), "all"))
	b.status(t, "nobody.example.org", http.StatusNotFound)
}

func testManyDomains(t *testing.T, b Bench) {
	var domains []string
	for i := range 1000 {
		domains = append(domains, fmt.Sprintf("customer-%04d.shop.example.com", i))
	}
	r := b.route("hello", 1, domains...)
	must(t, b.Proxy.Stage(t.Context(), r))
	must(t, b.Proxy.Publish(t.Context(), r))
	must(t, b.Proxy.Publish(t.Context(), b.route("other", 1, "other.example.com")))
	for _, i := range []int{0, 133, 134, 999} {
		b.answers(t, domains[i], "hello 1")
	}
	if live, ok, err := b.Proxy.Live(t.Context(), "hello"); err != nil || !ok || !slices.Equal(live.Domains, domains) || !live.Same(r) {
		t.Errorf("live has %d domains, %t, %v", len(live.Domains), ok, err)
	}
}

func testRefresh(t *testing.T, b Bench) {
	must(t, b.Proxy.Refresh(t.Context()))
	b.status(t, "hello.example.com", http.StatusNotFound)
	r := b.route("hello", 1, "hello.example.com")
	must(t, b.Proxy.Publish(t.Context(), r))
	must(t, b.Proxy.Refresh(t.Context()))
	b.answers(t, "hello.example.com", "hello 1")
	b.live(t, r)
}

func testAddress(t *testing.T, b Bench) {
	hosts := []string{"127.0.0.1", "192.0.2.7:8080", "[::1]", "[2001:db8::1]:80", "localhost"}
	must(t, b.Proxy.Publish(t.Context(), b.route("hello", 1, "hello.example.com")))
	for _, host := range hosts {
		b.answers(t, host, "hello 1")
	}
	b.silent(t, "unknown.example.com")
	must(t, b.Proxy.Publish(t.Context(), b.route("other", 1)))
	for _, host := range hosts {
		b.status(t, host, http.StatusNotFound)
	}
	must(t, b.Proxy.Withdraw(t.Context(), "hello"))
	for _, host := range hosts {
		b.answers(t, host, "other 1")
	}
	b.silent(t, "hello.example.com")
	must(t, b.Proxy.Withdraw(t.Context(), "other"))
	b.status(t, "127.0.0.1", http.StatusNotFound)
}

func testLongNames(t *testing.T, b Bench) {
	app := strings.Repeat("a", 63)
	longest := strings.Repeat(strings.Repeat("d", 62)+".", 4) + "d"
	names := []string{app + "." + strings.Repeat("b", 60) + ".example.com", longest}
	must(t, b.Proxy.Publish(t.Context(), b.route(app, 1, names...)))
	for _, name := range names {
		b.answers(t, name, app+" 1")
	}
	// Names that look like files of ours.
	for _, app := range []string{"live", "00-server", "server", "0", "a.conf", "base", "tested"} {
		must(t, b.Proxy.Publish(t.Context(), b.route(app, 1, app+".example.com")))
		b.answers(t, app+".example.com", app+" 1")
	}
}

func testHostile(t *testing.T, b Bench) {
	good := b.route("hello", 1, "hello.example.com")
	must(t, b.Proxy.Publish(t.Context(), good))
	for name, r := range Hostile(good) {
		for _, call := range []func(context.Context, proxy.Route) error{b.Proxy.Stage, b.Proxy.Publish} {
			if err := call(t.Context(), r); err == nil {
				t.Errorf("%s: accepted", name)
			} else if strings.ContainsAny(err.Error(), "\n\r\x1b\x00") {
				t.Errorf("%s: the error has control characters: %q", name, err)
			}
		}
	}
	b.live(t, good)
	b.answers(t, "hello.example.com", "hello 1")
	for _, app := range []string{"", "..", "../live", "A", "a/b"} {
		if err := b.Proxy.Withdraw(t.Context(), app); err == nil {
			t.Errorf("withdraw %q: accepted", app)
		}
		if _, _, err := b.Proxy.Live(t.Context(), app); err == nil {
			t.Errorf("live %q: accepted", app)
		}
	}
}

func testCancelled(t *testing.T, b Bench) {
	r := b.route("hello", 1, "hello.example.com")
	must(t, b.Proxy.Publish(t.Context(), r))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Proxy.Publish(ctx, b.route("hello", 2, "hello.example.com")); err == nil {
		t.Error("publish with a cancelled context: no error")
	}
	if err := b.Proxy.Withdraw(ctx, "hello"); err == nil {
		t.Error("withdraw with a cancelled context: no error")
	}
	b.live(t, r)
	b.answers(t, "hello.example.com", "hello 1")
}

func testConcurrent(t *testing.T, b Bench) {
	apps := []string{"a", "b", "c"}
	routes := map[string][]proxy.Route{}
	for _, app := range apps {
		routes[app] = []proxy.Route{b.route(app, 1, app+".example.com"), b.route(app, 2, app+".example.com")}
	}
	var all sync.WaitGroup
	for _, app := range apps {
		all.Go(func() {
			for _, r := range routes[app] {
				if err := b.Proxy.Stage(t.Context(), r); err != nil {
					t.Error(err)
				}
				if err := b.Proxy.Publish(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, app := range apps {
		b.answers(t, app+".example.com", app+" 2")
	}
}

// route returns a route to a process that answers "app release".
func (b Bench) route(app string, release int, domains ...string) proxy.Route {
	return proxy.Route{App: app, Release: release, Domains: domains,
		Upstreams: []netip.AddrPort{b.Process(fmt.Sprint(app, " ", release))}}
}

func (b Bench) live(t *testing.T, want proxy.Route) {
	t.Helper()
	got, ok, err := b.Proxy.Live(t.Context(), want.App)
	if err != nil || !ok || got.App != want.App || got.Release != want.Release || !slices.Equal(got.Upstreams, want.Upstreams) {
		t.Fatalf("live is %+v, %t, %v; want %+v", got, ok, err, want)
	}
}

func (b Bench) notLive(t *testing.T, app string) {
	t.Helper()
	if r, ok, err := b.Proxy.Live(t.Context(), app); ok || err != nil {
		t.Fatalf("%s is live: %+v, %v", app, r, err)
	}
}

func (b Bench) answers(t *testing.T, host, want string) {
	t.Helper()
	if status, body := b.Get(host); status != http.StatusOK || body != want {
		t.Errorf("%s answers %d %q, want %q", host, status, body, want)
	}
}

func (b Bench) status(t *testing.T, host string, want int) {
	t.Helper()
	if status, body := b.Get(host); status != want {
		t.Errorf("%s answers %d %q, want %d", host, status, body, want)
	}
}

// silent checks that no process of any app answers a name.
func (b Bench) silent(t *testing.T, host string) {
	t.Helper()
	if status, body := b.Get(host); status == http.StatusOK {
		t.Errorf("%s answers %q, want no app to", host, body)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
