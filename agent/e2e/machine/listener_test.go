package machine

import (
	"net/netip"
	"slices"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// network sets a property of network:set, as the command does.
func (m *machine) network(name, property, value string) error {
	op := deploy.Op{Name: "network:set"}
	if property == app.NetworkListener {
		op.Changes = deploy.ChangesRoute
	}
	return m.server.Update(m.t.Context(), name, op, event.Log{}, func(st *app.State) error {
		if st.Network == nil {
			st.Network = map[string]string{}
		}
		st.Network[property] = value
		if value == "" {
			delete(st.Network, property)
		}
		return nil
	})
}

// TestStaticListener: the proxy leads to a fixed address, through restarts and rollouts, and
// back to the processes when that is unset.
func TestStaticListener(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	fixed := netip.MustParseAddrPort("192.0.2.7:8080")
	leads := func(when string, want ...netip.AddrPort) {
		t.Helper()
		if live, ok := m.live("shop"); !ok || !slices.Equal(live.Upstreams, want) {
			t.Errorf("%s the route leads to %v, want %v", when, live.Upstreams, want)
		}
	}
	live, _ := m.live("shop")
	processes, before := live.Upstreams, m.ids()
	m.must(m.network("shop", app.NetworkListener, fixed.String()))
	leads("with a listener", fixed)
	if after := m.ids(); !slices.Equal(after, before) {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	m.must(m.server.Restart(t.Context(), "shop", event.Log{}))
	leads("after a restart", fixed)
	m.must(m.server.Stop(t.Context(), "shop", event.Log{}))
	leads("of a stopped app")
	m.must(m.server.Start(t.Context(), "shop", event.Log{}))
	leads("of a started app", fixed)
	m.must(m.network("shop", app.NetworkListener, ""))
	if live, _ = m.live("shop"); len(live.Upstreams) != len(processes) || slices.Contains(live.Upstreams, fixed) {
		t.Errorf("without a listener the route leads to %v", live.Upstreams)
	}
	m.must(m.serving())
}

// TestStaticListenerOfAnUndeployedApp: an app that is never deployed stands for a program
// outside of dokku. Its route follows the settings, and goes with the listener or with the app.
func TestStaticListenerOfAnUndeployedApp(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.must(m.server.Create(t.Context(), "outside", false))
	if _, ok := m.live("outside"); ok {
		t.Fatal("an app without a release has a route")
	}
	m.must(m.network("outside", app.NetworkListener, "127.0.0.1:9090"))
	m.must(m.server.Update(t.Context(), "outside", deploy.Op{Name: "domains:set", Changes: deploy.ChangesNames}, event.Log{}, func(st *app.State) error {
		st.Domains = []string{"outside.example"}
		return nil
	}))
	live, ok := m.live("outside")
	if !ok || !slices.Equal(live.Domains, []string{"outside.example"}) || !slices.Equal(live.Upstreams, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9090")}) {
		t.Errorf("the route is %+v", live)
	}
	m.must(m.server.Reconcile(t.Context(), "outside", event.Log{}))
	m.must(m.network("outside", app.NetworkListener, ""))
	if live, ok := m.live("outside"); ok {
		t.Errorf("without a listener the route is %+v", live)
	}
	m.must(m.network("outside", app.NetworkListener, "127.0.0.1:9090"))
	m.must(m.server.Destroy(t.Context(), "outside", event.Log{}))
	if live, ok := m.live("outside"); ok {
		t.Errorf("the destroyed app has the route %+v", live)
	}
}

// TestBindAllInterfaces: web's port is one of the host too from the next deploy on, and the
// proxy goes on to use the container's address.
func TestBindAllInterfaces(t *testing.T) {
	m := newMachine(t, newHistory(t))
	var published []string
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		for _, p := range s.Publish {
			if p.HostPort != 0 || p.Host.IsValid() || p.Port != 8080 {
				t.Errorf("%s publishes %+v", s.Type, p)
			}
			published = append(published, s.Type)
		}
		return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
	})
	m.must(m.network("shop", app.NetworkBindAll, "true"))
	if len(published) > 0 {
		t.Errorf("at once %v", published)
	}
	m.must(m.server.Restart(t.Context(), "shop", event.Log{}))
	if want := []string{"web", "web"}; !slices.Equal(published, want) {
		t.Errorf("%v publish a port, want %v", published, want)
	}
	m.must(m.serving())
	published = nil
	m.must(m.network("shop", app.NetworkBindAll, ""))
	m.must(m.server.Restart(t.Context(), "shop", event.Log{}))
	if len(published) > 0 {
		t.Errorf("without it %v publish a port", published)
	}
}
