package services_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/services/servicestest"
)

const oldData, newData = servicestest.Head + "old rows", servicestest.Head + "new rows"

// newUpgrade is a bench with postgres db of version 17.2, which has data.
func newUpgrade(t *testing.T) (*bench, services.Kind, *services.Service) {
	b := newBench(t)
	s := b.create("postgres", "db", services.Options{Version: "17.2"})
	b.engine.Volume(s.Container.Volume).Set(oldData)
	return b, b.kind("postgres"), s
}

// during calls f when a command whose words have a part runs in a service's container, before
// it. The command fails with what f returns, unless that is 0.
func (b *bench) during(part string, f func(st engine.Streams) int) {
	b.engine.Behave(func(s engine.Spec) memory.Behaviour {
		got, _ := b.fake.Behave(s)
		keep := got.Keep
		got.Keep = func(v memory.Volume, argv []string, st engine.Streams) int {
			if strings.Contains(strings.Join(argv, " "), part) {
				if exit := f(st); exit != 0 {
					return exit
				}
			}
			return keep(v, argv, st)
		}
		return got
	})
}

// runs checks that postgres db runs an image on data, and that there is nothing of another
// container. It returns the record.
func (b *bench) runs(image, data string, volumes int) *services.Service {
	b.t.Helper()
	s := b.load("postgres", "db")
	i, err := b.Running(b.ctx, s)
	b.ok(err)
	if got := b.engine.Volume(s.Container.Volume).Get(); i.Image != "sha256:"+image || i.Attempt != s.Container.Attempt || got != data {
		b.t.Errorf("it runs %s (%s) on %q, want %s on %q; the record is %+v", i.Image, i.Attempt, got, image, data, s)
	}
	o, err := b.engine.Observe(b.ctx, "")
	b.ok(err)
	if v := b.engine.Volumes(); len(o.Instances) != 1 || len(o.Networks) != 1 || len(v) != volumes || b.Pending(s.Ref()) {
		b.t.Errorf("there are %+v, volumes %v", o, v)
	}
	return s
}

// TestUpgradeByCopy: data that another major version does not use are copied into a new volume.
// Nobody reaches either server meanwhile. The former data stay: back returns to them, back again
// to the newer ones, and forget removes what is kept.
func TestUpgradeByCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, k, _ := newUpgrade(t)
		b.ok(b.Expose(b.ctx, k, "db", []string{"15432"}, event.Log{}))
		s := b.load("postgres", "db")
		seen := 0
		b.during("pg_dumpall", func(engine.Streams) int {
			seen++
			o, err := b.engine.Observe(b.ctx, "")
			b.ok(err)
			for _, i := range o.Instances {
				if i.Running() && (i.App != "_postgres.db.upgrade" || i.Name == "dokku.postgres.db" || i.Policy.Name != "no") {
					t.Errorf("apps reach %+v", i)
				}
			}
			return 0
		})
		b.ok(b.Upgrade(b.ctx, k, "db", services.Options{}, event.Log{}, []string{"shop"}, nil))
		now := b.runs("postgres:18.4", oldData, 2)
		if seen != 1 || now.Previous == nil || now.Previous.Container.Volume != s.Container.Volume || now.Container.Volume == s.Container.Volume || now.Password != s.Password || !slices.Equal(now.Container.Ports, s.Container.Ports) {
			t.Errorf("the record is %+v, was %+v", now, s)
		}
		b.engine.Volume(now.Container.Volume).Set(newData)
		b.fails(b.Upgrade(b.ctx, k, "db", services.Options{Version: "17.2"}, event.Log{}, nil, nil), "is older than the data of db", "dokku postgres:upgrade db --back")

		b.ok(b.Back(b.ctx, k, "db", event.Log{}, nil))
		back := b.runs("postgres:17.2", oldData, 2)
		if back.Container.Volume != s.Container.Volume || !slices.Equal(back.Container.Ports, s.Container.Ports) {
			t.Errorf("the record is %+v", back)
		}
		b.fails(b.Upgrade(b.ctx, k, "db", services.Options{}, event.Log{}, nil, nil), now.Container.Volume, "dokku postgres:upgrade db --forget")
		b.ok(b.Back(b.ctx, k, "db", event.Log{}, nil))
		b.runs("postgres:18.4", newData, 2)
		b.ok(b.Forget(b.ctx, k, "db", event.Log{}))
		b.runs("postgres:18.4", newData, 1)
		b.fails(b.Forget(b.ctx, k, "db", event.Log{}), "Postgres service db has no former data")
		b.fails(b.Back(b.ctx, k, "db", event.Log{}, nil), "Postgres service db has no former data")
	})
}

// TestUpgradeByCopyFails: whatever fails before the new server has the data, or when it is to
// take the service's name, the old one runs again.
func TestUpgradeByCopyFails(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(b *bench)
		want string
		// goesOn: the service ran all the time.
		goesOn bool
	}{
		{"the new server does not start", func(b *bench) { b.fake.Broken["sha256:postgres:18.4"] = true }, "postgres db does not start", true},
		{"the dump fails", func(b *bench) { b.during("pg_dumpall", func(engine.Streams) int { return 1 }) }, "pg_dumpall ended with exit code 1", false},
		{"the load fails", func(b *bench) {
			b.during("dropdb", func(st engine.Streams) int { io.Copy(io.Discard, st.Stdin); return 3 })
		}, "sh ended with exit code 3", false},
		{"the copy has less", func(b *bench) {
			n := 0
			b.during("pg_database", func(st engine.Streams) int {
				if n++; n == 2 {
					io.WriteString(st.Stdout, "table 1\n")
				}
				return 0
			})
		}, `the copy differs from the data of postgres db: it has "table 1", not "DUMP"`, false},
		{"the disk has no room", func(b *bench) { b.Room = func() int64 { return 900 << 20 } }, "the server's disk has room for 900MiB", true},
		{"the disk gets full", func(b *bench) {
			var room atomic.Int64
			room.Store(2 << 30)
			over := make(chan struct{})
			b.t.Cleanup(func() { close(over) })
			b.Room = room.Load
			b.during("pg_dumpall", func(engine.Streams) int {
				room.Store(1000 << 20)
				<-over
				return 1
			})
		}, "the server's disk is nearly full (room for 1000MiB): the copy would fill it", false},
		{"the port is taken meanwhile", func(b *bench) {
			b.during("pg_database", func(engine.Streams) int {
				if _, err := b.Load(b.kind("redis"), "q"); err != nil {
					b.create("redis", "q", services.Options{})
					b.ok(b.Expose(b.ctx, b.kind("redis"), "q", []string{"15432"}, event.Log{}))
				}
				return 0
			})
		}, "already in use", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, k, s := newUpgrade(t)
				if strings.Contains(test.name, "port") {
					b.ok(b.Expose(b.ctx, k, "db", []string{"15432"}, event.Log{}))
				}
				before, err := b.Running(b.ctx, s)
				b.ok(err)
				test.set(b)
				ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
				defer cancel()
				b.fails(b.Upgrade(ctx, k, "db", services.Options{}, event.Log{}, nil, nil), test.want)
				if strings.Contains(test.name, "port") {
					b.ok(b.Destroy(b.ctx, b.kind("redis"), "q", false, unused, event.Log{}))
					_, _, err := b.Settle(b.ctx, s.Ref(), event.Log{})
					b.ok(err)
				}
				now := b.runs("postgres:17.2", oldData, 1)
				after, err := b.Running(b.ctx, now)
				b.ok(err)
				if now.Previous != nil || test.goesOn && !after.Started.Equal(before.Started) {
					t.Errorf("it was started again, the record is %+v", now)
				}
			})
		})
	}
}

// TestUpgradeCancelled: a client that goes away during the copy leaves the service as it was.
func TestUpgradeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, k, _ := newUpgrade(t)
		ctx, cancel := context.WithCancel(b.ctx)
		b.during("pg_dumpall", func(engine.Streams) int { cancel(); return 0 })
		b.fails(b.Upgrade(ctx, k, "db", services.Options{}, event.Log{}, nil, nil), "canceled", "postgres db is as before")
		b.runs("postgres:17.2", oldData, 1)
	})
}

// TestUpgradeOfStopped: a stopped service is upgraded, and stays stopped. destroy removes the
// former data too.
func TestUpgradeOfStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, k, _ := newUpgrade(t)
		b.ok(b.Stop(b.ctx, k, "db", event.Log{}))
		b.ok(b.Upgrade(b.ctx, k, "db", services.Options{}, event.Log{}, nil, nil))
		now := b.load("postgres", "db")
		if _, running := b.Running(b.ctx, now); running == nil || !now.Stopped || b.engine.Volume(now.Container.Volume).Get() != oldData {
			t.Errorf("it is %+v", now)
		}
		b.ok(b.Start(b.ctx, k, "db", event.Log{}))
		b.runs("postgres:18.4", oldData, 2)
		b.ok(b.Destroy(b.ctx, k, "db", false, unused, event.Log{}))
		b.nothing()
	})
}
