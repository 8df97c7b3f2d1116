package machine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// skewed is an engine whose swarm is led by a manager with another clock.
type skewed struct {
	*memory.Engine
	by time.Duration
}

func (s skewed) shift(i engine.Instance) engine.Instance {
	if i.Placed() {
		i.Created = i.Created.Add(s.by)
		if !i.Started.IsZero() {
			i.Started = i.Started.Add(s.by)
		}
		if !i.Finished.IsZero() {
			i.Finished = i.Finished.Add(s.by)
		}
	}
	return i
}

func (s skewed) Start(ctx context.Context, spec engine.Spec) (engine.Instance, error) {
	i, err := s.Engine.Start(ctx, spec)
	return s.shift(i), err
}

func (s skewed) Instance(ctx context.Context, id string) (engine.Instance, error) {
	i, err := s.Engine.Instance(ctx, id)
	return s.shift(i), err
}

func (s skewed) Observe(ctx context.Context, app string) (engine.Observed, error) {
	o, err := s.Engine.Observe(ctx, app)
	for n, i := range o.Instances {
		o.Instances[n] = s.shift(i)
	}
	return o, err
}

// TestSwarmClockOff: the manager that leads the swarm is another server, and its clock is off. The
// gate counts by this server's clock: a push takes as long as ever, and no worker is accepted
// before its time.
func TestSwarmClockOff(t *testing.T) {
	m, h := newSwarm(t)
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.Checks = map[string]string{"default-wait": "10"}
		return nil
	}))
	synctest.Test(t, func(t *testing.T) {
		took := map[time.Duration]time.Duration{}
		from, to := h.one, h.two
		for _, by := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
			m.server.Env.Machine = skewed{m.engine, by}
			begun := time.Now()
			if err := m.push(from, to); err != nil {
				t.Fatalf("a clock is off by %s: %v", by, err)
			}
			took[by] = time.Since(begun)
			from, to = to, from
			pass(5 * time.Minute)
			m.settle()
			check(t, m.atRest())
		}
		for by, d := range took {
			if diff := (d - took[0]).Abs(); diff > time.Second {
				t.Errorf("with a clock that is off by %s a push takes %s, else %s", by, d, took[0])
			}
		}
		if took[0] < 5*time.Second {
			t.Errorf("a push takes %s: no worker has to stay up", took[0])
		}
	})
}
