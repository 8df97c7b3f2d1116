package machine

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proxy"
	proxymemory "dokku/agent/proxy/memory"
)

// firstLayout is a machine with the files of the first released layout, from
// testdata/upgrade, and its containers.
func firstLayout(t *testing.T, h history) *machine {
	t.Helper()
	m := &machine{t: t, root: inMemory(t), engine: memory.New(), proxy: proxymemory.New()}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Kind != engine.KindDeploy} })
	m.turnOn()
	ctx := context.Background()
	// The repository had the same layout then.
	if err := m.server.Create(ctx, "shop", false); err != nil {
		t.Fatal(err)
	}
	h.fetch(t, m.server.Env.Store.Dir("shop"))
	git(t, m.server.Env.Store.Dir("shop"), "update-ref", "refs/heads/main", h.one)
	for from, to := range map[string]string{"state.json": "shop/dokku/state.json", "release.json": "shop/dokku/releases/7.json",
		"server.json": ".dokku/server.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", "upgrade", from))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(m.root, to), string(data))
	}
	replace(t, filepath.Join(m.root, "shop/dokku/releases/7.json"), "REVISION", h.one)
	m.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:" + git(t, h.dir, "rev-parse", h.one+"^{tree}"), Ports: []int{8080}})
	replace(t, filepath.Join(m.root, "shop/dokku/releases/7.json"), "IMAGE", "sha256:"+git(t, h.dir, "rev-parse", h.one+"^{tree}"))
	m.firstContainers(ctx)
	return m
}

// firstContainers starts the containers that the first version had started for the
// release, behind the route that it had published.
func (m *machine) firstContainers(ctx context.Context) {
	m.t.Helper()
	n, err := m.engine.Network(ctx, "shop")
	if err != nil {
		m.t.Fatal(err)
	}
	a, err := m.server.Env.Store.Load("shop")
	if err != nil {
		m.t.Fatal(err)
	}
	route := proxy.Route{App: "shop", Release: 7, Domains: []string{"shop.example.com"}}
	at := n.Gateway
	for _, p := range []app.Process{{Type: "web", Index: 1}, {Type: "web", Index: 2}, {Type: "worker", Index: 1}} {
		at = at.Next()
		_, err := m.engine.Start(ctx, engine.Spec{App: "shop", Kind: engine.KindDeploy, Type: p.Type, Index: p.Index, Release: 7,
			Attempt: "0a1b2c3d4e5f", Name: "shop." + p.String(), Image: a.Current.Image, Address: at, RestartPolicy: "on-failure:10"})
		if err != nil {
			m.t.Fatal(err)
		}
		if p.Type == "web" {
			route.Upstreams = append(route.Upstreams, netip.AddrPortFrom(at, 8080))
		}
	}
	if err := m.proxy.Publish(ctx, route); err != nil {
		m.t.Fatal(err)
	}
}

// lost lists the fields that a rewritten file has lost.
func lost(before, after any, at string) (list []string) {
	switch b := before.(type) {
	case map[string]any:
		a, _ := after.(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(b)) {
			list = append(list, lost(b[k], a[k], at+"."+k)...)
		}
	default:
		x, _ := json.Marshal(before)
		y, _ := json.Marshal(after)
		if string(x) != string(y) {
			list = append(list, at+" was "+string(x)+", is "+string(y))
		}
	}
	return list
}

func (m *machine) json(name string) (v any) {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join(m.root, name))
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return v
}

// TestUpgrade takes over the files and containers of the first layout. No process
// restarts, and rewritten files lose no setting.
func TestUpgrade(t *testing.T) {
	h := newHistory(t)
	m := firstLayout(t, h)
	ran := m.ids()
	m.settle()
	if now := m.ids(); !slices.Equal(ran, now) || len(ran) != 3 {
		t.Errorf("%v ran, now %v", ran, now)
	}
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
	state, server := m.json("shop/dokku/state.json"), m.json(".dokku/server.json")
	ctx := context.Background()
	if err := m.server.SetLocked(ctx, "shop", true, event.Log{}); err != nil {
		t.Fatal(err)
	}
	if err := m.server.Env.Store.UpdateSettings(ctx, func(*app.Settings) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, text := range append(lost(state, m.json("shop/dokku/state.json"), "state"), lost(server, m.json(".dokku/server.json"), "server")...) {
		t.Error(text)
	}
	for _, test := range []struct {
		name string
		do   func(*machine) error
	}{
		{"push", func(m *machine) error { return m.push(h.one, h.two) }},
		{"ps:scale", func(m *machine) error {
			return m.server.Scale(ctx, "shop", map[string]int{"web": 3}, false, event.Log{})
		}},
		{"ps:restart", func(m *machine) error { return m.server.Restart(ctx, "shop", event.Log{}) }},
		{"config:set", func(m *machine) error {
			return m.server.SetConfig(ctx, "shop", map[string]string{"A": "b"}, nil, true, event.Log{})
		}},
		{"apps:rename", func(m *machine) error { return m.server.Rename(ctx, "shop", "store", false, event.Log{}) }},
		{"ps:stop", func(m *machine) error { return m.server.Stop(ctx, "shop", event.Log{}) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := firstLayout(t, h)
			m.t = t
			if err := test.do(m); err != nil {
				t.Fatal(err)
			}
			m.settle()
			if err := m.atRest(); err != nil {
				t.Error(err)
			}
			a, err := m.server.Env.Store.Load(m.app())
			if err != nil {
				t.Fatal(err)
			}
			if a.State.Config["GREETING"] != "hello" || a.State.Checks["wait-to-retire"] != "0" || a.State.PS["stop-timeout-seconds"] != "7" {
				t.Errorf("settings are lost: %+v", a.State)
			}
		})
	}
	t.Run("apps:destroy", func(t *testing.T) {
		m := firstLayout(t, h)
		if err := m.server.Destroy(ctx, "shop", event.Log{}); err != nil {
			t.Fatal(err)
		}
		if o, _ := m.engine.Observe(ctx, ""); len(o.Instances)+len(o.Networks)+len(o.Images) > 0 {
			t.Errorf("%+v is left", o)
		}
	})
}
