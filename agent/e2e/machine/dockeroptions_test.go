package machine

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/oneoff"
)

// TestDockerOptions: docker-options belong to a release, like mounts: containers of the next
// one have them, and siblings that ps:scale adds have those of theirs. One-off containers
// have the present ones of the phase run. They survive a rename and a clone, and an invalid
// stored one refuses a push before its build.
func TestDockerOptions(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := context.Background(), event.Log{}
	var started []engine.Spec
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		started = append(started, s)
		return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
	})
	set := func(name string, lists map[string][]string) {
		t.Helper()
		m.must(m.server.Update(ctx, name, deploy.Op{Name: "docker-options:add"}, none, func(st *app.State) error {
			st.DockerOptions = lists
			return nil
		}))
	}
	// expect fails unless all processes that started since have these options.
	expect := func(what string, all engine.Options, policy string) {
		t.Helper()
		count := 0
		for _, s := range started {
			want := all
			if s.Kind != engine.KindDeploy {
				continue
			}
			count++
			if s.Type == "worker" && want.Ulimits != nil { // which has what all types have
				want.Ulimits = map[string][2]int64{"nofile": {5, 6}}
			}
			if !reflect.DeepEqual(s.Options, want) || s.RestartPolicy != policy {
				t.Errorf("%s starts %s with %+v and %s, want %+v and %s", what, s.Title(), s.Options, s.RestartPolicy, want, policy)
			}
		}
		if count == 0 {
			t.Errorf("%s starts nothing", what)
		}
		started = nil
	}
	options := map[string][]string{
		"deploy":     {"--restart always", "--shm-size 64m", "--ulimit nofile=5:6", "--user 1000"},
		"deploy.web": {"--ulimit nofile=7"},
		"run":        {"--label a=b"},
	}
	web := engine.Options{Ulimits: map[string][2]int64{"nofile": {7, 7}}, ShmSize: 64 << 20, User: "1000"}
	set("shop", options)
	m.must(m.server.Scale(ctx, "shop", map[string]int{"web": 3}, false, none))
	expect("ps:scale before the next release", engine.Options{}, "on-failure:10")
	m.must(m.server.Restart(ctx, "shop", none))
	expect("a restart", web, "always")
	if c := m.load("shop").Current.Changes; !slices.ContainsFunc(c, func(c app.Change) bool { return c.String() == "docker options added" }) {
		t.Errorf("the release's changes are %v", c)
	}

	set("shop", map[string][]string{"run": {"--label c=d"}})
	m.must(m.server.Scale(ctx, "shop", map[string]int{"web": 4}, false, none))
	expect("ps:scale after a change", web, "always")
	spec, err := oneoff.SpecOf(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"sh"}})
	if err != nil || !maps.Equal(spec.Options.Labels, map[string]string{"c": "d"}) || spec.RestartPolicy != "no" || spec.Options.ShmSize != 0 {
		t.Errorf("a one-off container has %+v and %s, error %v", spec.Options, spec.RestartPolicy, err)
	}
	spec, err = oneoff.SpecOf(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"sh"}, Labels: map[string]string{"e": "f"}})
	if want := map[string]string{"c": "d", "e": "f"}; err != nil || !maps.Equal(spec.Options.Labels, want) {
		t.Errorf("a one-off container with a label has %v, want %v, error %v", spec.Options.Labels, want, err)
	}
	if got := m.load("shop").State.DockerOptions["run"]; !slices.Equal(got, []string{"--label c=d"}) {
		t.Errorf("the app's options became %v", got)
	}

	set("shop", options)
	m.must(m.server.Rename(ctx, "shop", "store", false, none))
	expect("a rename", web, "always")
	m.must(m.server.Clone(ctx, "store", "third", none))
	m.must(m.server.Rebuild(ctx, "third", none))
	expect("a clone", web, "always")
	if got := m.load("third").State.DockerOptions; !reflect.DeepEqual(got, options) {
		t.Errorf("the clone has %v", got)
	}

	m.names = nil
	set("third", map[string][]string{"deploy.web": {"--privileged"}})
	for what, do := range map[string]func(context.Context, string, event.Log) error{"a rebuild": m.server.Rebuild, "a restart": m.server.Restart} {
		err := do(ctx, "third", none)
		if err == nil || !strings.Contains(err.Error(), `the option "--privileged" of the phase deploy is invalid: `) ||
			!strings.Contains(err.Error(), "; to remove all of that phase: dokku docker-options:clear --process web third deploy") {
			t.Errorf("an invalid option, at %s: %v", what, err)
		}
	}
	if len(started) > 0 || strings.Contains(strings.Join(m.names, " "), "build") {
		t.Errorf("an invalid option is noticed after %v, and %d containers", m.names, len(started))
	}
}

// TestLimitsOfDockerOptions: --memory and --cpus limit the processes, unless resource:limit
// does, and what contradicts it keeps a deploy from starting anything.
func TestLimitsOfDockerOptions(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := context.Background(), event.Log{}
	started := map[string]engine.Limits{}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		started[s.Type] = s.Limits
		return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
	})
	change := func(f func(st *app.State)) {
		t.Helper()
		m.must(m.server.Update(ctx, "shop", deploy.Op{Name: "docker-options:add"}, none, func(st *app.State) error { f(st); return nil }))
	}
	change(func(st *app.State) {
		st.DockerOptions = map[string][]string{"deploy": {"--cpus 0.5", "--memory 512m"}, "deploy.worker": {"-m 64m"}, "run": {"--memory 32m"}}
		st.Resources = map[string]string{"web.limit.memory": "256"}
	})
	m.must(m.server.Restart(ctx, "shop", none))
	for ptype, want := range map[string]engine.Limits{
		"web": {Memory: 256 << 20, MemorySwap: 256 << 20, NanoCPUs: 5e8, Pids: 4096}, "worker": {Memory: 64 << 20, MemorySwap: 64 << 20, NanoCPUs: 5e8, Pids: 4096}} {
		if started[ptype] != want {
			t.Errorf("%s has the limits %+v, want %+v", ptype, started[ptype], want)
		}
	}
	spec, err := oneoff.SpecOf(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"sh"}})
	if err != nil || spec.Limits != (engine.Limits{Memory: 32 << 20, MemorySwap: 32 << 20, Pids: 4096}) {
		t.Errorf("a one-off container has %+v, %v", spec.Limits, err)
	}
	clear(started)
	change(func(st *app.State) { st.Resources["worker.reserve.memory"] = "128" })
	if err := m.server.Restart(ctx, "shop", none); err == nil || !strings.Contains(err.Error(), "the memory reservation cannot be more than the memory limit") || len(started) > 0 {
		t.Errorf("limits that contradict each other: %v, started %v", err, started)
	}
}
