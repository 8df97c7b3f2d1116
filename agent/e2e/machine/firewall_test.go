package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/doctor"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/firewall"
	"dokku/agent/watch"
	"dokku/build"
)

// A wall is a firewall in memory: root's part and the kernel.
type wall struct {
	mu    sync.Mutex
	rules *firewall.Rules // nil: none are there
	calls int
	fails error
}

func (w *wall) Apply(_ context.Context, r firewall.Rules) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls++; w.fails != nil {
		return w.fails
	}
	w.rules = &r
	return nil
}

func (w *wall) Check(_ context.Context, r firewall.Rules) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.fails != nil:
		return w.fails
	case w.rules == nil:
		return errors.New("the rules are gone")
	}
	return nil
}

// of says what is done with the bridge of a network: "none", or its exceptions and openings.
func (w *wall) of(bridge string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rules != nil {
		for _, b := range w.rules.Bridges {
			if b.Name == bridge {
				return fmt.Sprint(len(b.Except), b.Open)
			}
		}
	}
	return "none"
}

// behindWall gives the machine a firewall.
func behindWall(m *machine) *wall {
	w := &wall{}
	m.server.Env.Firewall = func(app.Settings) firewall.Filter { return w }
	return w
}

// TestFirewallBeforeContainers: a container that runs before the rules know its network scans the
// host in its first moments. So the rules come first, for processes and for commands that run once. An
// app that has more rights keeps them until its new containers start, and so do its containers
// that serve meanwhile.
func TestFirewallBeforeContainers(t *testing.T) {
	f := newFresh(t, false)
	w := behindWall(f.m)
	ctx, none := t.Context(), event.Log{}
	var mu sync.Mutex
	var starts []string
	f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		mu.Lock()
		defer mu.Unlock()
		starts = append(starts, fmt.Sprintf("%s %t %s", s.Type, s.Filtered, w.of("dk-fresh")))
		return behaviour(s)
	})
	expect := func(what string, want ...string) {
		t.Helper()
		slices.Sort(starts)
		if starts = slices.Compact(starts); !slices.Equal(starts, want) {
			t.Errorf("%s starts %q, want %q", what, starts, want)
		}
		starts = nil
	}
	f.pushed(with(`{"scripts": {"dokku": {"predeploy": "prepare", "postdeploy": "tell"}}}`))
	expect("a first push", "postdeploy true 0 []", "predeploy true 0 []", "release true 0 []", "web true 0 []")
	calls := w.calls
	f.pushed(nil)
	f.m.must(f.m.server.Scale(ctx, "fresh", map[string]int{"web": 2}, false, none))
	expect("a second push", "postdeploy true 0 []", "predeploy true 0 []", "release true 0 []", "web true 0 []")
	if w.calls != calls {
		t.Errorf("a push without other rules calls root's part %d times", w.calls-calls)
	}
	f.m.must(f.m.server.SetIsolation(ctx, "fresh", false, none))
	expect("isolation:disable", "web false none")
	f.m.must(f.m.server.Filter(ctx, false))
	if got := w.of("dk-fresh"); got != "2 []" { // for those that retire
		t.Errorf("after isolation:disable the rules have %s", got)
	}
	f.m.must(f.m.server.SetIsolation(ctx, "fresh", true, none))
	expect("isolation:enable", "web true 2 []") // those that serve are excepted
	f.m.must(f.m.server.Reconcile(ctx, "fresh", none))
	f.m.must(f.m.server.Restart(ctx, "fresh", none))
	expect("a restart", "web true 0 []")

	// An app of the version before keeps its way to the host.
	f.setState(func(st *app.State) { st.Isolation = app.IsolationContainers })
	f.m.must(f.m.server.Restart(ctx, "fresh", none))
	expect("ps:restart of an app from before", "web false none")
	f.m.must(f.m.server.SetIsolation(ctx, "fresh", true, none))
	expect("isolation:enable of it", "web true 2 []")
}

// TestHostPorts: what network:set opens is open at once, for this app alone, on its networks, and is
// closed again. A shared network is one of its ways to the host.
func TestHostPorts(t *testing.T) {
	m := newMachine(t, newHistory(t))
	w := behindWall(m)
	ctx, none := t.Context(), event.Log{}
	shared, err := m.engine.CreateNetwork(ctx, "common")
	check(t, err)
	m.next(func(st *app.State) { st.Isolation = app.IsolationNow })
	m.must(m.network("shop", app.NetworkPostCreate, "common"))
	var mu sync.Mutex
	early := map[string]bool{}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		mu.Lock()
		defer mu.Unlock()
		early[w.of(shared.Bridge)] = true
		return behaviour(s)
	})
	m.must(m.server.Restart(ctx, "shop", none))
	if len(early) != 1 || early["none"] {
		t.Errorf("as the containers start, the shared network has %v", early)
	}
	expect := func(when, own, common string) {
		t.Helper()
		if got := w.of("dk-shop"); got != own {
			t.Errorf("%s its own network has %q, want %q", when, got, own)
		}
		if got := w.of(shared.Bridge); got != common && (common != "by address" || !strings.HasPrefix(got, "0 [{172.31.0.")) {
			t.Errorf("%s the shared network has %q, want %q", when, got, common)
		}
	}
	m.must(m.server.Filter(ctx, false))
	expect("before", "0 []", "0 []")
	m.must(m.server.SetHostAccess(ctx, "shop", app.NetworkHostPorts, "5432,8125/udp", none))
	expect("opened", "0 [{invalid IP [5432 8125/udp] false}]", "by address")
	m.must(m.server.SetHostAccess(ctx, "shop", app.NetworkMetadata, "true", none))
	m.must(m.server.SetHostAccess(ctx, "shop", app.NetworkHostPorts, "", none))
	expect("closed", "0 [{invalid IP [] true}]", "by address")
	m.must(m.server.SetHostAccess(ctx, "shop", app.NetworkMetadata, "", none))
	expect("with all closed", "0 []", "0 []")

	// Addresses on a shared network are known after the start only.
	m.must(m.server.SetHostAccess(ctx, "shop", app.NetworkHostPorts, "5432", none))
	m.must(m.server.Restart(ctx, "shop", none))
	expect("after a restart", "0 [{invalid IP [5432] false}]", "by address")
	m.must(m.server.Rename(ctx, "shop", "store", false, none))
	m.must(m.server.Filter(ctx, false))
	for _, b := range w.rules.Bridges {
		if strings.HasPrefix(b.Name, "dk-") && fmt.Sprint(b.Open) != "[{invalid IP [5432] false}]" {
			t.Errorf("after apps:rename %s has %v", b.Name, b.Open)
		}
	}
	if !slices.Contains(w.rules.Web, 80) || !slices.Contains(w.rules.Web, 443) {
		t.Errorf("the ports of the web are %v", w.rules.Web)
	}
	m.must(m.server.Destroy(ctx, "store", none))
	m.must(m.server.Filter(ctx, false))
	if len(w.rules.Bridges) != 0 {
		t.Errorf("after apps:destroy the rules have %v", w.rules.Bridges)
	}
}

// TestFirewallOfOthers: what is no isolated container of ours goes on to reach the host by a network that an
// isolated app joins.
func TestFirewallOfOthers(t *testing.T) {
	f := newFresh(t, false)
	w := behindWall(f.m)
	ctx, none := t.Context(), event.Log{}
	shared, err := f.m.engine.CreateNetwork(ctx, "common")
	check(t, err)
	f.m.next(func(st *app.State) { st.Isolation = app.IsolationOlder })
	f.m.must(f.m.network("shop", app.NetworkPostCreate, "common"))
	f.m.must(f.m.server.Restart(ctx, "shop", none))
	f.m.must(f.m.server.Filter(ctx, false))
	if got := w.of(shared.Bridge); got != "none" {
		t.Errorf("a network without isolated apps has %s", got)
	}
	f.m.must(f.m.network("fresh", app.NetworkPostCreate, "common"))
	f.pushed(map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\n"})
	members, err := f.m.engine.Members(ctx)
	check(t, err)
	var others []netip.Addr
	for _, m := range members {
		if m.Network == "common" && !m.Filtered {
			others = append(others, m.Addresses...)
		}
	}
	if got := w.of(shared.Bridge); len(others) == 0 || got != fmt.Sprintf("%d []", len(others)) {
		t.Errorf("a network of both has %s, and %d others", got, len(others))
	}
}

// TestFirewallGone: rules that a firewall of the host's has removed are back within a minute, and doctor
// says so meanwhile. A server without root's part goes on, and doctor and the agent say that.
func TestFirewallGone(t *testing.T) {
	h := newHistory(t)
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, h)
		w := behindWall(m)
		m.next(func(st *app.State) { st.Isolation = app.IsolationNow })
		m.must(m.server.Restart(t.Context(), "shop", event.Log{}))
		tell := func() (text string) {
			for _, f := range (doctor.Doctor{Server: m.server}).Examine(context.Background(), "") {
				if f.Check == "firewall" {
					text += fmt.Sprintf("%s: %s; %s", f.Status, f.Text, f.Fix)
				}
			}
			return text
		}
		expect := func(want string) {
			t.Helper()
			if got := tell(); !strings.Contains(got, want) {
				t.Errorf("doctor says %q, want %q", got, want)
			}
		}
		expect("ok: the containers of 1 app reach no ports of this server but the web's and those of host-ports")
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
		defer func() { stop(); <-ended }()
		lose := func() { w.mu.Lock(); w.rules = nil; w.mu.Unlock() }
		engine.Pause(ctx, 5*time.Second)
		lose()
		expect("problem: the containers of 1 app may reach ports of this server: the rules are gone; dokku doctor --fix")
		engine.Pause(ctx, time.Minute+2*time.Second)
		if got := w.of("dk-shop"); got != "0 []" {
			t.Errorf("a minute after they were lost the rules have %s", got)
		}
		lose()
		w.mu.Lock()
		w.fails = firewall.ErrMissing
		w.mu.Unlock()
		expect("warning: the containers of 1 app reach ports of this server: root's part of the firewall is not installed; sudo ./install.sh install")
		m.must(m.server.Restart(ctx, "shop", event.Log{}))
		engine.Pause(ctx, time.Minute+2*time.Second)
		w.mu.Lock()
		w.fails = nil
		w.mu.Unlock()
		engine.Pause(ctx, time.Minute+2*time.Second)
		if got := w.of("dk-shop"); got != "0 []" {
			t.Errorf("a minute after an installation the rules have %s", got)
		}
	})
}

// TestFirewallOfBuildsFirst: the steps of a build run in the engine's own network, where they scan the host.
// builder:set build-network filtered has the rules before a build begins, also for the phases of
// buildpacks; what other programs have on that network goes on reaching the host.
func TestFirewallOfBuildsFirst(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	w := behindWall(m)
	m.engine.SetDefaultNetwork(
		engine.Member{Network: "bridge", Addresses: []netip.Addr{netip.MustParseAddr("172.17.0.2")}},
		engine.Member{Network: "bridge", App: "shop", Build: true, Addresses: []netip.Addr{netip.MustParseAddr("172.17.0.3")}})
	var seen []string
	built := m.server.Env.Build
	m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
		seen = append(seen, w.of("docker0"))
		return built(ctx, r)
	}
	check(t, m.push(h.one, h.two))
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.Build = app.Merged(set.Build, map[string]string{app.PropBuildNetwork: app.BuildNetworkFiltered})
		return nil
	}))
	check(t, m.server.Rebuild(t.Context(), "shop", event.Log{}))
	if want := []string{"none", "1 []"}; !slices.Equal(seen, want) {
		t.Errorf("builds find the rules %q, want %q", seen, want)
	}
}

// TestBuildpacksApart: an app that a deployer's key is for builds apart from the engine, but a
// repository without a Dockerfile has its buildpacks run in containers of the engine: on docker0, they
// scanned the host. They run on the app's own network, whose rules come first, for a new app too.
func TestBuildpacksApart(t *testing.T) {
	f := newFresh(t, false)
	w := behindWall(f.m)
	f.m.engine.Behave(behaviour)
	var seen []string
	built := f.m.server.Env.Build
	f.m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
		networks, err := f.m.engine.AllNetworks(ctx)
		check(t, err)
		made := slices.ContainsFunc(networks, func(n engine.NetworkInfo) bool { return n.Name == "dokku-fresh" })
		seen = append(seen, fmt.Sprintf("%q", r.Network))
		if r.Network != "" {
			seen = append(seen, fmt.Sprintf("%t %s", made, w.of("dk-fresh")))
		}
		return built(ctx, r)
	}
	isolation := func(value string) {
		t.Helper()
		check(t, f.m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
			set.Build = app.Merged(set.Build, map[string]string{app.PropIsolation: value})
			return nil
		}))
	}
	isolation(app.IsolationOwn)
	f.pushed(nil)
	f.m.must(f.m.server.SetIsolation(t.Context(), "fresh", false, event.Log{}))
	f.pushed(nil)
	f.m.must(f.m.server.SetIsolation(t.Context(), "fresh", true, event.Log{}))
	isolation("")
	f.pushed(nil)
	if want := []string{`"dokku-fresh"`, "true 0 []", `""`, `""`}; !slices.Equal(seen, want) {
		t.Errorf("builds have the networks and rules %q, want %q", seen, want)
	}
}
