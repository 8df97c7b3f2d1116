package services_test

import (
	"encoding/json"
	"os"
	"testing"
	"testing/synctest"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/services"
)

// TestRestrictedService: an app that is linked to a database runs programs by it (COPY FROM PROGRAM), and
// so does what its own containers may not. New services have no more rights than those, also after
// an upgrade; a kind may say that its image needs more, and services of older versions keep theirs.
func TestRestrictedService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var last engine.Spec
		b.engine.Behave(func(s engine.Spec) memory.Behaviour { last = s; got, _ := b.fake.Behave(s); return got })
		expect := func(what string, restricted bool, pids int64) {
			t.Helper()
			if last.Restricted != restricted || last.Limits.Pids != pids {
				t.Errorf("%s: restricted %t, %d processes; want %t, %d", what, last.Restricted, last.Limits.Pids, restricted, pids)
			}
		}
		s := b.create("postgres", "db", services.Options{Version: "18.3"})
		expect("a new service", true, 4096)
		k := b.kind("postgres")
		b.ok(b.Upgrade(b.ctx, k, s.Name, services.Options{Version: "18.4"}, event.Log{}, nil, nil))
		expect("an upgraded service", true, 4096)

		k.Unrestricted = true
		_, err := b.Create(b.ctx, k, "open", services.Options{}, event.Log{})
		b.ok(err)
		expect("a kind that needs more", false, 0)

		record := b.Root(s.Ref()) + "/service.json"
		data, err := os.ReadFile(record)
		b.ok(err)
		var older map[string]any
		b.ok(json.Unmarshal(data, &older))
		delete(older["container"].(map[string]any), "restricted")
		data, err = json.Marshal(older)
		b.ok(err)
		b.ok(os.WriteFile(record, data, 0o600))
		b.ok(b.Upgrade(b.ctx, b.kind("postgres"), s.Name, services.Options{Version: "18.3"}, event.Log{}, nil, nil))
		expect("a service of an older version", false, 0)

		b.engine.Behave(func(s engine.Spec) memory.Behaviour {
			if last = s; s.Restricted {
				return memory.Behaviour{Exits: true, Code: 1}
			}
			got, _ := b.fake.Behave(s)
			return got
		})
		b.fails(b.Isolate(b.ctx, b.kind("postgres"), s.Name, true, event.Log{}), "postgres db does not start", "postgres db runs as before")
		expect("one that fails without its rights", false, 0)
		b.engine.Behave(func(s engine.Spec) memory.Behaviour { last = s; got, _ := b.fake.Behave(s); return got })
		b.ok(b.Isolate(b.ctx, b.kind("postgres"), s.Name, true, event.Log{}))
		expect("one that isolate has switched", true, 4096)
		b.ok(b.Isolate(b.ctx, b.kind("postgres"), s.Name, false, event.Log{}))
		expect("isolate --off", false, 0)
		b.fails(b.Isolate(b.ctx, k, "open", true, event.Log{}), "Postgres needs the rights of Docker's defaults, says the file of its kind: open keeps them")
	})
}

// TestIsolateAndBack: the data of before an upgrade come back in a container that has no more
// rights than the present one.
func TestIsolateAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, k, _ := newUpgrade(t)
		b.ok(b.Isolate(b.ctx, k, "db", false, event.Log{}))
		b.ok(b.Upgrade(b.ctx, k, "db", services.Options{}, event.Log{}, nil, nil))
		b.ok(b.Isolate(b.ctx, k, "db", true, event.Log{}))
		b.ok(b.Back(b.ctx, k, "db", event.Log{}, nil))
		if s := b.load("postgres", "db"); !s.Container.Restricted || s.Container.Image != "postgres:17.2" {
			t.Errorf("the container is %+v", s.Container)
		}
	})
}
