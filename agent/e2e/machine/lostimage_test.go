package machine

import (
	"errors"
	"testing"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/oneoff"
)

// TestLostImage: an image that this server has lost comes back from the registry that it was
// pushed to, whoever needs it; where the registry lacks it, the error says so.
func TestLostImage(t *testing.T) {
	h := newHistory(t)
	ctx := t.Context()
	for name, of := range map[string]func(*machine){
		"this server": func(m *machine) {
			check(t, m.server.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error {
				set.Registry = map[string]string{app.PropRegistry: "registry.test", app.PropPushOnRelease: "true"}
				return nil
			}))
			check(t, m.push(h.one, h.two))
		},
		"swarm": func(m *machine) {
			check(t, m.formSwarm())
			check(t, m.server.SetScheduler(ctx, "shop", app.SchedulerSwarm, true, event.Log{}))
			check(t, m.push(h.one, h.two))
		},
	} {
		for need, do := range map[string]func(*machine, func()) error{
			"restart": func(m *machine, lose func()) error { lose(); return m.server.Restart(ctx, "shop", event.Log{}) },
			"scale": func(m *machine, lose func()) error {
				lose()
				return m.server.Scale(ctx, "shop", map[string]int{"web": 4}, false, event.Log{})
			},
			"rollback": func(m *machine, lose func()) error {
				current := m.current().Number
				check(t, m.push(h.two, h.one))
				lose()
				return m.server.Rollback(ctx, "shop", current, false, event.Log{})
			},
			"one-off": func(m *machine, lose func()) error {
				lose()
				_, err := oneoff.RunDetached(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"true"}}, event.Log{})
				return err
			},
			"the agent": func(m *machine, lose func()) error {
				lose()
				o, err := m.engine.Observe(ctx, "shop")
				check(t, err)
				for _, i := range o.Instances {
					if !i.Placed() {
						check(t, m.engine.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}))
					}
				}
				return m.server.Reconcile(ctx, "shop", event.Log{})
			},
		} {
			t.Run(name+", "+need, func(t *testing.T) {
				for _, lacks := range []bool{false, true} {
					m := newMachine(t, h)
					of(m)
					m.settle()
					image := m.current().Image
					err := do(m, func() {
						m.engine.LoseImage(image)
						if lacks {
							m.engine.RegistryDown(errors.New("connection refused"))
						}
					})
					needs := name == "this server" || need == "one-off"
					switch {
					case !lacks:
						check(t, err)
						if _, err := m.engine.Image(ctx, image); err != nil && needs {
							t.Errorf("the image is not here: %v", err)
						}
					case needs:
						refuses(t, err, "which is not on this server any more", "connection refused", "dokku ps:rebuild shop")
					}
				}
			})
		}
	}
}
