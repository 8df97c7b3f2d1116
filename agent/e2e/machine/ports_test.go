package machine

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// mapping is SetPorts with a fixed list.
func (m *machine) mapping(ports ...app.PortMap) error {
	return m.server.SetPorts(m.t.Context(), "shop", "ports:set", event.Log{}, func([]app.PortMap) ([]app.PortMap, error) { return ports, nil })
}

// TestPortMappings: a port of the host is mapped at once, to the running processes.
// Another web port needs new processes, which get it as PORT.
func TestPortMappings(t *testing.T) {
	m := newMachine(t, newHistory(t))
	var env []string
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if s.Type == "web" {
			env = append(env, slices.DeleteFunc(slices.Clone(s.Env), func(v string) bool { return !strings.HasPrefix(v, "PORT=") })...)
		}
		return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
	})
	before := m.ids()
	if err := m.mapping(app.PortMap{Scheme: "http", Host: 10080, Container: 0}, app.PortMap{Scheme: "http", Host: 80, Container: 0}, app.PortMap{Scheme: "http", Host: 10081, Container: 9000}); err != nil {
		t.Fatal(err)
	}
	live, _ := m.live("shop")
	if want := []proxy.Port{{Host: 80}, {Host: 10080}, {Host: 10081, Container: 9000}}; !slices.Equal(live.Ports, want) {
		t.Errorf("the route has the ports %v, want %v", live.Ports, want)
	}
	if after := m.ids(); !slices.Equal(after, before) || len(env) != 0 {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	a, err := m.server.View("shop")
	ports := a.Ports()
	if want := "[http:80:8080 http:10080:8080 http:10081:9000]"; err != nil || fmt.Sprint(ports) != want {
		t.Errorf("the ports are %v (%v), want %s", ports, err, want)
	}
	if urls := m.server.Env.URLsOf(a); !strings.HasSuffix(urls[len(urls)-1], ":10081") {
		t.Errorf("%v", urls)
	}

	if err := m.mapping(app.PortMap{Scheme: "http", Host: 80, Container: 7000}); err != nil {
		t.Fatal(err)
	}
	live, _ = m.live("shop")
	if live.Upstreams[0].Port() != 7000 || !slices.Equal(live.Ports, []proxy.Port{{Host: 80}}) || fmt.Sprint(env) != "[PORT=7000 PORT=7000]" {
		t.Errorf("the route is %+v, the processes have %v", live, env)
	}
	if err := m.serving(); err != nil {
		t.Error(err)
	}
	// The mapping stays for later deploys, and the image's own port comes back.
	h := newHistory(t)
	h.fetch(t, m.server.Env.Store.Dir("shop"))
	if err := m.server.Rebuild(t.Context(), "shop", event.Log{}); err != nil {
		t.Fatal(err)
	}
	if a, _ = m.server.View("shop"); a.Current.Port != 7000 || a.Current.Detected != 8080 {
		t.Errorf("the release has port %d, detected %d", a.Current.Port, a.Current.Detected)
	}
	if err := m.mapping(); err != nil {
		t.Fatal(err)
	}
	if live, _ = m.live("shop"); live.Upstreams[0].Port() != 8080 || live.Ports != nil {
		t.Errorf("without a map the route is %+v", live)
	}
}

// TestPortsRefused: a port that the proxy could not listen on changes nothing.
func TestPortsRefused(t *testing.T) {
	m := newMachine(t, newHistory(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	if err := m.server.Create(t.Context(), "bound", false); err != nil {
		t.Fatal(err)
	}
	if err := m.server.SetProxy(t.Context(), "bound", false, event.Log{}); err != nil {
		t.Fatal(err)
	}
	bound, _ := m.server.Env.Store.Load("bound")
	before, _ := m.live("shop")
	for _, test := range []struct {
		ports []app.PortMap
		want  string
	}{
		{[]app.PortMap{{Scheme: "http", Host: 22, Container: 0}}, "Host port 22 belongs to ssh"},
		{[]app.PortMap{{Scheme: "http", Host: taken, Container: 0}}, fmt.Sprintf("Host port %d is taken", taken)},
		{[]app.PortMap{{Scheme: "http", Host: bound.State.HostPort + 7, Container: 0}}, "belongs to app bound"},
		{[]app.PortMap{{Scheme: "http", Host: 80, Container: 0}, {Scheme: "http", Host: 80, Container: 1}}, "Host port 80 cannot be mapped twice"},
	} {
		if err := m.mapping(test.ports...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.ports, err, test.want)
		}
	}
	after, _ := m.live("shop")
	a, _ := m.server.Env.Store.Load("shop")
	if !after.Same(before) || a.State.Ports != nil {
		t.Errorf("the route is %+v, was %+v; the state has %v", after, before, a.State.Ports)
	}
	// A port that another program took since fails the deploy.
	err = m.server.Env.With(t.Context(), "shop", deploy.Op{Name: "test"}, event.Log{}, func(x *deploy.Session) error {
		return x.Restart(t.Context(), "test", nil, func(st *app.State) {
			st.Ports = []app.PortMap{{Scheme: "http", Host: taken, Container: 0}}
		})
	})
	if err == nil || !strings.Contains(err.Error(), "is taken") || !strings.Contains(err.Error(), "ports:set shop") {
		t.Errorf("%v", err)
	}
}

// TestLocked: a locked app rejects pushes and rebuilds, and accepts all other commands.
func TestLocked(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := t.Context(), event.Log{}
	if err := m.server.SetLocked(ctx, "shop", true, none); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"push": m.push(h.one, h.two), "ps:rebuild": m.server.Rebuild(ctx, "shop", none)} {
		if err == nil || !strings.Contains(err.Error(), "shop currently has a deploy lock in place") || !strings.Contains(err.Error(), "apps:unlock shop") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// It does not wait for the holder of the app's own lock.
	l, free, err := m.server.Env.Store.TryLock("shop", "test")
	if !free || err != nil {
		t.Fatal(free, err)
	}
	if err := m.push(h.one, h.two); err == nil || !strings.Contains(err.Error(), "deploy lock") {
		t.Errorf("push: %v", err)
	}
	l.Release()
	if err := m.server.Restart(ctx, "shop", none); err != nil {
		t.Error(err)
	}
	if err := m.server.Scale(ctx, "shop", map[string]int{"web": 1}, false, none); err != nil {
		t.Error(err)
	}
	if err := m.server.SetLocked(ctx, "shop", false, none); err != nil {
		t.Fatal(err)
	}
	if err := m.push(h.one, h.two); err != nil {
		t.Error(err)
	}
	m.settle()
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
}

// TestExposeMapping: with ports:set --global expose-mapping dokku, the port that an image
// exposes is the host's too, of deployed apps at once and of later ones. Mappings of an app's
// own win, and without the setting all is as before.
func TestExposeMapping(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	ports := func(want ...proxy.Port) {
		t.Helper()
		live, _ := m.live("shop")
		if !slices.Equal(live.Ports, want) {
			t.Errorf("the route has the ports %v, want %v", live.Ports, want)
		}
	}
	set := func(value string) {
		t.Helper()
		check(t, m.server.SetRoutes(ctx, "ports:set", event.Log{}, func(s *app.Settings) { s.Ports = map[string]string{app.ExposeMapping: value} }))
	}
	ports()
	before := m.ids()
	set(app.ExposeAsDokku)
	ports(proxy.Port{Host: 8080})
	if v, err := m.server.View("shop"); err != nil || fmt.Sprint(v.Ports()) != "[http:8080:8080]" {
		t.Errorf("the ports are %v (%v)", v.Ports(), err)
	}
	if after := m.ids(); !slices.Equal(after, before) {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	check(t, m.push(h.one, h.two))
	ports(proxy.Port{Host: 8080})
	check(t, m.server.Rollback(ctx, "shop", 0, false, event.Log{}))
	ports(proxy.Port{Host: 8080})
	check(t, m.mapping(app.PortMap{Scheme: "http", Host: 80}))
	ports(proxy.Port{Host: 80})
	check(t, m.mapping())
	ports(proxy.Port{Host: 8080})
	set("")
	ports()
}
