package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/frontdoor"
	"dokku/agent/journal"
	"dokku/agent/proxy"
	"dokku/agent/proxy/doors"
	"dokku/agent/proxy/doors/doorstest"
	proxymemory "dokku/agent/proxy/memory"
)

// placed is a proxy in front of processes that other servers reach too, as those of a swarm.
type placed struct{ proxy.Proxy }

func (p placed) Stage(ctx context.Context, r proxy.Route) error {
	r.Elsewhere = true
	return p.Proxy.Stage(ctx, r)
}

func (p placed) Publish(ctx context.Context, r proxy.Route) error {
	r.Elsewhere = true
	return p.Proxy.Publish(ctx, r)
}

func (p placed) Live(ctx context.Context, app string) (proxy.Route, bool, error) {
	r, ok, err := p.Proxy.Live(ctx, app)
	r.Elsewhere = false
	return r, ok, err
}

// A guarded is a machine with a front door, which reaches the processes by itself.
type guarded struct {
	*machine
	door *doorstest.Door
	away *proxymemory.Proxy
	// swarm: the processes are a swarm's, and not only taken for that.
	swarm bool
	// dead are the processes that ended while the front door sent visitors to them. Several may end at once.
	noting sync.Mutex
	dead   []string
}

func newGuarded(t *testing.T, m *machine) *guarded {
	t.Helper()
	return guard(t, &guarded{machine: m})
}

func guard(t *testing.T, g *guarded) *guarded {
	t.Helper()
	m := g.machine
	g.away = proxymemory.New()
	g.door = doorstest.New(t, "two", g.away)
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.FrontDoors = map[string]app.FrontDoor{"two": g.door.App}
		return nil
	}))
	g.connect()
	m.settle()
	m.count, m.names = 0, nil
	return g
}

// connect gives the server its front door, whose steps are changes too: before each request
// and after it the machine may lose power.
func (g *guarded) connect() {
	m := g.machine
	pool := doorstest.Pool(g.t, filepath.Join(m.root, ".dokku"), g.door)
	m.server.Doors = func(set app.Settings) doors.Config {
		return doors.Config{Doors: set.FrontDoors, Dir: m.server.Env.Store.Own("front-doors"), Pool: pool, Settings: doors.Settings{Port: 80, TLSPort: 443}}
	}
	m.server.Env.Router = nil
	m.server.Env.Reach = func(set app.Settings) proxy.Proxy {
		if px := doors.New(m.proxy, m.server.Doors(set)); !g.swarm {
			return placed{px}
		} else {
			return px
		}
	}
	g.door.Break(func(moment string) error { return m.change("front door, " + moment) })
	m.engine.Fail(func(call string, args ...any) error {
		var err error
		switch call {
		case "Start", "Rename", "Stop", "Remove", "Network", "Tag":
			err = m.change(call)
		default:
			err = m.powered()
		}
		if err == nil {
			err = g.watch(call, args...)
		}
		return err
	})
}

// watch notes a process that is stopped while the front door sends visitors to it.
func (g *guarded) watch(call string, args ...any) error {
	id := ""
	switch call {
	case "Stop":
		id, _ = args[0].(string)
	case "Remove":
		if r, ok := args[0].(engine.Resource); ok && r.Kind == engine.Container {
			id = r.ID
		}
	}
	if id == "" {
		return nil
	}
	o, err := g.engine.Observe(context.Background(), "")
	if err != nil {
		return err
	}
	for _, r := range g.routes() {
		for _, i := range o.Instances {
			if i.ID == id && i.Running() && slices.ContainsFunc(r.Upstreams, func(u netip.AddrPort) bool { return u.Addr() == i.Address }) {
				g.noting.Lock()
				g.dead = append(g.dead, fmt.Sprintf("%s of %s v%d", call, i.Name, i.Release))
				g.noting.Unlock()
			}
		}
	}
	return nil
}

func (g *guarded) routes() []proxy.Route {
	g.away.Fail(nil)
	list, err := g.away.Routes(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	return list
}

// served is the release that the front door serves.
func (g *guarded) served() int {
	g.t.Helper()
	list := g.routes()
	if len(list) != 1 {
		g.t.Fatalf("the front door has %+v", list)
	}
	return list[0].Release
}

func (g *guarded) unharmed(when string) {
	g.t.Helper()
	if len(g.dead) > 0 {
		g.t.Errorf("%s: visitors of the front door were sent to what is gone: %s", when, strings.Join(g.dead, ", "))
	}
	g.dead = nil
}

// refuse makes the front door's proxy refuse a call.
func (g *guarded) refuse(call string) {
	g.door.Proxy = func(doors.Settings) doors.Served { return &refusing{g.away, call} }
}

// answer makes it work again.
func (g *guarded) answer() {
	g.door.Break(nil)
	g.door.Proxy = func(doors.Settings) doors.Served { return g.away }
}

type refusing struct {
	*proxymemory.Proxy
	call string
}

func (r *refusing) Publish(ctx context.Context, route proxy.Route) error {
	if r.call == "publish" {
		return errors.New("nginx refuses the configuration")
	}
	return r.Proxy.Publish(ctx, route)
}

// TestFrontDoorHasNotTheNewRoute: processes of the old release stay while a front door may send
// visitors to them, and so do those of the new one, wherever the front door or the server
// stops in the middle.
func TestFrontDoorHasNotTheNewRoute(t *testing.T) {
	h := newHistory(t)
	died := errors.New("it died")
	for name, disturb := range map[string]func(*guarded){
		"its proxy refuses":     func(g *guarded) { g.refuse("publish") },
		"it dies before":        func(g *guarded) { g.door.Break(brokenAt(2, "before", died)) },
		"it dies before answer": func(g *guarded) { g.door.Break(brokenAt(2, "after", died)) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuarded(t, newMachine(t, h))
			first := g.served()
			disturb(g)
			err := g.push(h.one, h.two)
			if err == nil || !strings.Contains(err.Error(), "front door two (two.test): ") || !strings.Contains(err.Error(), "the agent will retry") {
				t.Fatalf("the push says %v", err)
			}
			if p, err := g.server.Env.Store.Problem("shop"); err != nil || p == nil || !strings.Contains(p.Text, "front door two") {
				t.Errorf("ps:report says %+v, %v", p, err)
			}
			for range 3 {
				g.server.TryReconcile(t.Context(), "shop", false, event.Log{})
			}
			g.unharmed("while the front door fails")
			g.answer()
			g.settle()
			g.unharmed("afterwards")
			if now := g.served(); now <= first {
				t.Errorf("the front door serves v%d", now)
			}
			check(t, g.atRest())
			// Back again, so that nothing of the trouble is left.
			check(t, g.push(h.two, h.one))
			g.settle()
			g.unharmed("the next push")
			check(t, g.atRest())
		})
	}
}

// brokenAt fails at the nth of some moments, and from then on.
func brokenAt(n int, moment string, err error) func(string) error {
	return func(now string) error {
		if now == moment {
			n--
		}
		if n <= 0 && now == moment {
			return err
		}
		return nil
	}
}

// TestFrontDoorKilledAnywhere: the server loses power at each change of an operation. Processes
// that the front door asks run on, and in the end it serves what the server does.
func TestFrontDoorKilledAnywhere(t *testing.T) {
	h := newHistory(t)
	for _, test := range operations(t.Context(), h, agenttest.Killed) {
		if !slices.Contains([]string{"push", "scale down", "apps:rename", "ps:stop and ps:start", "config:set and releases:rollback"}, test.Name) {
			continue
		}
		t.Run(test.Name, func(t *testing.T) {
			whole := newGuarded(t, newMachine(t, h))
			check(t, test.do(whole.machine))
			whole.settle()
			whole.unharmed("undisturbed")
			if !slices.Contains(whole.names, "front door, after") {
				t.Fatal("no change of the front door is counted")
			}
			for k := 1; k <= whole.count; k++ {
				g := newGuarded(t, newMachine(t, h))
				g.kill = k
				test.do(g.machine)
				when := fmt.Sprintf("killed before change %d (%s)", k, g.names[len(g.names)-1])
				g.unharmed(when)
				g.turnOn()
				g.connect()
				g.settle()
				var seen frontdoor.Watched
				if _, _, err := seen.Look(t.Context(), g.server); err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				g.unharmed(when + ", and recovered")
				if err := g.atRest(); err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				here, err := g.proxy.Routes(t.Context())
				check(t, err)
				there := g.routes()
				for i := range here {
					here[i].Settings.IncludeDir = "" // it is empty
				}
				if len(here) != 1 || len(there) != 1 || !here[0].Same(there[0]) {
					t.Fatalf("%s: the server serves %+v, the front door %+v", when, here, there)
				}
			}
		})
	}
}

// TestFrontDoorIsDown: a push to an app that the front door serves by itself is rejected and
// changes nothing; without the front door it works.
func TestFrontDoorIsDown(t *testing.T) {
	h := newHistory(t)
	g := newGuarded(t, newMachine(t, h))
	first := g.served()
	g.door.Down(true)
	err := g.push(h.one, h.two)
	if err == nil || !strings.Contains(err.Error(), "front door two (two.test): connection refused") || !strings.Contains(err.Error(), "dokku front-door:disable two") {
		t.Fatalf("the push says %v", err)
	}
	check(t, g.atRest())
	if g.served() != first {
		t.Error("the front door serves another release")
	}
	d := g.door.App
	d.Disabled = true
	check(t, g.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.FrontDoors = map[string]app.FrontDoor{"two": d}
		return nil
	}))
	check(t, g.push(h.one, h.two))
	g.settle()
	check(t, g.atRest())
}

// TestFrontDoorIsEnabled: it gets what changed while it was disabled.
func TestFrontDoorIsEnabled(t *testing.T) {
	h := newHistory(t)
	g := newGuarded(t, newMachine(t, h))
	first := g.served()
	check(t, frontdoor.Disable(t.Context(), g.server, "two"))
	check(t, g.push(h.one, h.two))
	g.settle()
	if g.served() != first {
		t.Error("a disabled front door was told")
	}
	check(t, frontdoor.Enable(t.Context(), g.server, "two", event.Log{}))
	if g.served() == first {
		t.Error("it serves the old release")
	}
	check(t, frontdoor.Disable(t.Context(), g.server, "two"))
	check(t, g.server.Destroy(t.Context(), "shop", event.Log{}))
	check(t, frontdoor.Enable(t.Context(), g.server, "two", event.Log{}))
	if list := g.routes(); len(list) > 0 {
		t.Errorf("it serves %+v", list)
	}
}

// TestFrontDoorComesBack: the agent notices that a front door is gone, and sends one that
// comes back with other files what it lacks.
func TestFrontDoorComesBack(t *testing.T) {
	m := newMachine(t, newHistory(t))
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, m)
		stop := g.runAgent(t)
		g.door.Down(true)
		pass(2 * time.Minute)
		if got := g.eventTexts(t, journal.Fail); len(got) != 1 || !strings.Contains(got[0], "front door two (two.test): connection refused") {
			t.Errorf("events: %q", got)
		}
		check(t, g.away.Withdraw(t.Context(), "shop")) // its disk was replaced
		check(t, g.away.Publish(t.Context(), proxy.Route{App: "gone", Domains: []string{"gone.example.com"}}))
		g.door.Down(false)
		pass(time.Minute)
		if list := g.routes(); len(list) != 1 || list[0].App != "shop" {
			t.Errorf("the front door has %+v", list)
		}
		if got := g.eventTexts(t, journal.Mend); len(got) != 1 || !strings.Contains(got[0], "front door two answers again") {
			t.Errorf("events: %q", got)
		}
		stop()
		g.server.Doors(app.Settings{}).Pool.Close()
		g.door.Close()
	})
}

// frontDoor gives the machine a front door.
func (p *patient) frontDoor() *doorstest.Door {
	p.t.Helper()
	d := doorstest.New(p.t, "two", proxymemory.New())
	pool := doorstest.Pool(p.t, p.path(".dokku"), d)
	p.server.Doors = func(set app.Settings) doors.Config {
		return doors.Config{Doors: set.FrontDoors, Dir: p.path(".dokku", "front-doors"), Pool: pool, Settings: doors.Settings{Port: 80, TLSPort: 443}}
	}
	check(p.t, p.server.Env.Store.UpdateSettings(p.t.Context(), func(set *app.Settings) error {
		set.FrontDoors = map[string]app.FrontDoor{"two": d.App}
		return nil
	}))
	return d
}
