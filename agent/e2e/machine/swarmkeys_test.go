package machine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine/node"
	"dokku/agent/event"
)

// newKeyed is newSwarm with the node service, whose certificates were made years ago.
func newKeyed(t *testing.T, made time.Time) (*machine, node.Keys) {
	t.Helper()
	m := newMachine(t, newHistory(t))
	check(t, m.formSwarm())
	m.engine.Swarm().Secure()
	keys := deploy.NodeKeys(m.server.Env.Store)
	_, err := keys.Make(t.Context(), made)
	check(t, err)
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, true, event.Log{}))
	m.settle()
	return m, keys
}

// steps returns what is given to whom from now on, with the stage of the certificates.
func (m *machine) steps(keys node.Keys) *[]string {
	var steps []string
	note := func(what string) error {
		stage, err := keys.Stage()
		steps = append(steps, fmt.Sprintf("%s %d", what, stage))
		return err
	}
	m.engine.Fail(func(call string, _ ...any) error {
		switch call {
		case "RenewNodeService":
			return note("nodes get")
		case "AwaitNodeService":
			return note("nodes have")
		}
		return nil
	})
	m.proxy.Fail(func(call, _ string) error {
		if call == "publish" {
			return note("proxies get")
		}
		return nil
	})
	return &steps
}

// routedBy returns the certificate of the live route.
func (m *machine) routedBy() string {
	m.t.Helper()
	live, _, err := m.proxy.Live(m.t.Context(), "shop")
	check(m.t, err)
	if live.Entrance == nil {
		m.t.Fatal("the route has no certificate")
	}
	return live.Entrance.ID
}

// ofKeys returns the certificate that proxies are to have.
func ofKeys(t *testing.T, keys node.Keys) string {
	t.Helper()
	set, err := keys.Load()
	check(t, err)
	return node.ID(set.Door)
}

// TestRotateNodeKeys: new certificates reach nodes and proxies in the order in which everybody
// always trusts everybody else (see package node), and the old ones are gone in the end.
func TestRotateNodeKeys(t *testing.T) {
	m, keys := newKeyed(t, time.Now())
	was := m.routedBy()
	steps := m.steps(keys)
	check(t, m.server.RotateNodeKeys(t.Context(), event.Log{}))
	want := "nodes get 1, nodes have 1, proxies get 2, nodes get 3, nodes have 3, proxies get 4, nodes get 0"
	if got := strings.Join(*steps, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if now := m.routedBy(); now == was || now != ofKeys(t, keys) {
		t.Errorf("the route has %s, before %s, and the keys are %s", now, was, ofKeys(t, keys))
	}
}

// TestNodeKeysEnd: the agent changes certificates a year before they end, and no others.
func TestNodeKeysEnd(t *testing.T) {
	const life = 10 * 365 * 24 * time.Hour
	for before, want := range map[time.Duration]bool{agent.RenewBefore + 48*time.Hour: false, agent.RenewBefore - 48*time.Hour: true} {
		m, keys := newKeyed(t, time.Now().Add(before-life))
		was := m.routedBy()
		check(t, m.server.TendNodeKeys(t.Context(), event.Log{}))
		if changed := m.routedBy() != was; changed != want {
			t.Errorf("%s before their end they are changed: %v", before, changed)
		}
		if stage, err := keys.Stage(); err != nil || stage != node.Steady {
			t.Errorf("stage %d, %v", stage, err)
		}
	}
}

// TestRotationGoesOn: wherever a change of the certificates is interrupted, the agent ends it, and
// gives to nobody what the others do not trust yet.
func TestRotationGoesOn(t *testing.T) {
	killed := errors.New("killed")
	for kill := 1; ; kill++ {
		m, keys := newKeyed(t, time.Now())
		left := kill
		stop := func() error {
			if left--; left <= 0 {
				return killed
			}
			return nil
		}
		m.visit = func(string) error { return stop() }
		m.engine.Fail(func(call string, _ ...any) error {
			if call == "RenewNodeService" || call == "AwaitNodeService" {
				return stop()
			}
			return nil
		})
		m.proxy.Fail(func(call, _ string) error {
			if call == "publish" {
				return stop()
			}
			return nil
		})
		err := m.server.RotateNodeKeys(t.Context(), event.Log{})
		if err == nil {
			t.Logf("%d kills", kill-1)
			return
		}
		stage, failed := keys.Stage()
		if check(t, failed); !errors.Is(err, killed) {
			t.Fatal(err)
		}
		m.visit = func(string) error { return nil }
		steps := m.steps(keys)
		check(t, m.server.TendNodeKeys(t.Context(), event.Log{}))
		m.settle()
		all := []string{"nodes get 1", "nodes have 1", "proxies get 2", "nodes get 3", "nodes have 3", "proxies get 4", "nodes get 0"}
		rest := slices.DeleteFunc(slices.Clone(all), func(s string) bool {
			return stage == node.Steady || s[len(s)-1] != '0' && s[len(s)-1] < '0'+byte(stage)
		})
		got := slices.DeleteFunc(slices.Clone(*steps), func(s string) bool { return !slices.Contains(all, s) })
		if !slices.Equal(got, rest) && !(len(got) == len(rest)-1 && strings.HasPrefix(rest[0], "proxies")) && len(got) > 0 {
			t.Errorf("killed at %d, in stage %d: %q", kill, stage, got)
		}
		if now := m.routedBy(); now != ofKeys(t, keys) {
			t.Errorf("killed at %d, in stage %d: the route has %s", kill, stage, now)
		}
		if stage, err = keys.Stage(); err != nil || stage != node.Steady {
			t.Errorf("killed at %d: stage %d, %v", kill, stage, err)
		}
	}
}
