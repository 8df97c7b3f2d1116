package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// TestSwarmRefusals: what a swarm cannot do is refused before the build, by name and with what
// helps, and a running app does not move.
func TestSwarmRefusals(t *testing.T) {
	h := newHistory(t)
	for name, c := range map[string]struct {
		set  func(*machine, *app.State)
		want []string
	}{
		"a folder of this server": {func(m *machine, st *app.State) {
			dir := filepath.Join(m.root, "storage", "data")
			check(t, os.MkdirAll(dir, 0o755))
			st.Mounts = []app.Mount{{Source: dir, Target: "/data"}}
		}, []string{"it mounts ", "/data of this server", "dokku storage:unmount shop"}},
		"the proxy is disabled": {func(m *machine, st *app.State) { st.ProxyDisabled, st.HostPort = true, 20000 }, []string{"dokku proxy:enable shop"}},
		"several ports": {func(m *machine, st *app.State) {
			st.Ports = []app.PortMap{{Scheme: "http", Host: 80, Container: 8080}, {Scheme: "http", Host: 9000, Container: 9000}}
		}, []string{"nodes publish one of them", "dokku ports:set shop"}},
		"a network of this server": {func(m *machine, st *app.State) {
			st.Network = map[string]string{app.NetworkLists[0]: "lan"}
		}, []string{"it joins the network lan", "docker network create --driver overlay"}},
		"a device": {func(m *machine, st *app.State) {
			st.DockerOptions = map[string][]string{"deploy": {"--device /dev/fuse"}}
		}, []string{"the device /dev/fuse"}},
		"a limit of swap": {func(m *machine, st *app.State) {
			st.Resources = map[string]string{"_default_.limit.memory": "64m", "_default_.limit.memory-swap": "128m"}
		}, []string{"limit of swap"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, h)
			check(t, m.formSwarm())
			check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
				set.StorageRoot, set.DockerOptions = filepath.Join(m.root, "storage"), map[string]string{"allowed-devices": "/dev/fuse"}
				return nil
			}))
			_, err := m.engine.CreateNetwork(t.Context(), "lan")
			check(t, err)
			check(t, m.server.Update(t.Context(), "shop", deploy.Op{Name: "test"}, event.Log{}, func(st *app.State) error {
				c.set(m, st)
				return nil
			}))
			before := m.current().Number
			err = m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, true, event.Log{})
			refuses(t, err, append(c.want, "cannot run shop on a swarm: ")...)
			v, verr := m.server.View("shop")
			check(t, verr)
			if v.Scheduler() != app.SchedulerLocal || v.Current.Number != before {
				t.Errorf("v%d is for %s", v.Current.Number, v.Scheduler())
			}
			check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, false, event.Log{}))
			calls := m.calls("Login", "Start", "Push")
			refuses(t, m.push(h.one, h.two), append(c.want, "dokku scheduler:set shop selected docker-local")...)
			if len(*calls) > 0 || m.current().Number != before {
				t.Errorf("a refused push calls %v", *calls)
			}
		})
	}
}

// TestSwarmChecks: checks that nobody can make of a process on another node are refused, and
// commands are run on all nodes.
func TestSwarmChecks(t *testing.T) {
	for healthchecks, want := range map[string]string{
		`{"web": [{"type": "startup", "command": ["true"]}]}`:             "",
		`{"web": [{"type": "startup", "command": ["false"]}]}`:            "Nothing has changed",
		`{"worker": [{"type": "startup", "listening": true, "port": 9}]}`: "app.json has a check of worker that connects to it",
		`{"web": [{"type": "startup", "path": "/", "port": 9000}]}`:       "app.json has a check of web at port 9000, and nodes publish port 8080 alone",
		`{"worker": [{"type": "startup", "uptime": 1}]}`:                  "",
	} {
		h := newHistory(t)
		m := newMachine(t, h)
		check(t, m.formSwarm())
		m.engine.Behave(func(s engine.Spec) memory.Behaviour {
			b := behaviour(s)
			b.Exec = func(argv []string) (string, int) {
				if argv[0] == "true" {
					return "", 0
				}
				return "", 1
			}
			return b
		})
		check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, false, event.Log{}))
		check(t, os.WriteFile(filepath.Join(h.dir, "app.json"), []byte(`{"healthchecks": `+healthchecks+`}`), 0o644))
		git(t, h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qam", "checks")
		three := git(t, h.dir, "rev-parse", "HEAD")
		m.packs = map[string]pack{three: newPack(t, h, three, h.two)}
		err := m.push(h.one, three)
		if want == "" {
			check(t, err)
			continue
		}
		refuses(t, err, want)
	}
}

// TestSwarmNeedsRegistry: without a registry no app moves, and no push is built.
func TestSwarmNeedsRegistry(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	err := m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, false, event.Log{})
	refuses(t, err, "cannot select docker-swarm: this server is in no swarm", "dokku cluster:init")
	check(t, m.formSwarm())
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error { set.Registry = nil; return nil }))
	const want = "the nodes of a swarm pull the images of shop from a registry, and none is set: dokku registry:set shop server REGISTRY"
	refuses(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, true, event.Log{}), want, "registry:serve")
	var out strings.Builder
	term := event.NewTerminal(&out, &out, false)
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, false, event.New(term)))
	term.Close()
	if !strings.Contains(out.String(), want) {
		t.Errorf("it does not warn: %s", out.String())
	}
	calls := m.calls("Start", "Push", "Tag")
	refuses(t, m.push(h.one, h.two), want)
	if len(*calls) > 0 {
		t.Errorf("the push calls %v", *calls)
	}
}

// TestSwarmNeedsImage: an app whose image is not on this server any more, and in no registry,
// does not move.
func TestSwarmNeedsImage(t *testing.T) {
	m := newMachine(t, newHistory(t))
	check(t, m.formSwarm())
	m.engine.LoseImage(m.current().Image)
	refuses(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, true, event.Log{}), "it is not on this server any more; build it again: dokku ps:rebuild shop")
}

// TestSwarmPorts: a mapping to another port of web is refused while the app is on a swarm.
func TestSwarmPorts(t *testing.T) {
	m, _ := newSwarm(t)
	err := m.mapping(portMaps([]string{"http:80:8080", "http:9000:9000"})...)
	refuses(t, err, "nodes publish one of them")
	check(t, m.mapping(portMaps([]string{"http:80:9001"})...))
	if m.current().Port != 9001 || strings.Contains(m.routed(), "nobody") {
		t.Errorf("web is at %d, routed %s", m.current().Port, m.routed())
	}
	refuses(t, m.server.SetProxy(t.Context(), "shop", false, event.Log{}), "dokku proxy:enable shop")
	if a, _ := m.server.Env.Store.Load("shop"); a.State.ProxyDisabled {
		t.Error("a refused proxy:disable is stored")
	}
}

// TestSwarmExclusive: a type that runs alone has stopped on all nodes before it starts anew, and
// nothing starts while nobody can tell whether it has.
func TestSwarmExclusive(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	check(t, m.formSwarm())
	check(t, m.server.Update(t.Context(), "shop", deploy.Op{Name: "ps:set"}, event.Log{}, func(st *app.State) error {
		st.PS = map[string]string{"rollover": "worker=exclusive"}
		st.Scheduler = map[string]string{app.PropConstraints: "node.hostname==node2"}
		return nil
	}))
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, true, event.Log{}))
	check(t, m.server.Scale(t.Context(), "shop", map[string]int{"worker": 2}, false, event.Log{}))
	check(t, m.server.Restart(t.Context(), "shop", event.Log{}))
	check(t, m.server.Scale(t.Context(), "shop", map[string]int{"worker": 1}, false, event.Log{}))
	m.settle()
	if got := m.engine.Together("shop", "worker"); got != 2 {
		t.Errorf("%d workers of two generations have run together", got)
	}
	m.engine.Swarm().Die("node2", true)
	refuses(t, m.server.RestartType(t.Context(), "shop", "worker", event.Log{}), "cannot run worker.1 anew: nobody can tell whether it has ended, since its node node2 does not answer")
}
