package services_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/services/servicestest"
	"dokku/agent/store"
)

// A bench is a server with services and nothing else.
type bench struct {
	*services.Manager
	t      *testing.T
	ctx    context.Context
	engine *memory.Engine
	fake   *servicestest.Fake
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, ctx: t.Context(), engine: memory.New(), fake: &servicestest.Fake{Broken: map[string]bool{}}}
	for _, image := range []string{"postgres:18.4", "postgres:18.3", "postgres:17.2", "redis:8.8.0", "mysql:9.7.0", "memcached:1.6.42"} {
		b.engine.SetImage("", engine.ImageInfo{ID: "sha256:" + image}, image)
	}
	b.engine.Behave(func(s engine.Spec) memory.Behaviour { got, _ := b.fake.Behave(s); return got })
	root := t.TempDir()
	b.ok(os.MkdirAll(root+"/.dokku", 0o700))
	b.Manager = &services.Manager{Store: &store.Store{Root: root}, Host: b.engine}
	return b
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// fails checks that an error says all parts.
func (b *bench) fails(err error, parts ...string) {
	b.t.Helper()
	if err == nil {
		b.t.Fatalf("it does not fail, want %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			b.t.Errorf("the error is %q, want %q", err, part)
		}
	}
}

func (b *bench) kind(name string) services.Kind {
	b.t.Helper()
	k, err := b.Kind(name)
	b.ok(err)
	return k
}

func (b *bench) create(kind, name string, o services.Options) *services.Service {
	b.t.Helper()
	s, err := b.Create(b.ctx, b.kind(kind), name, o, event.Log{})
	b.ok(err)
	return s
}

func (b *bench) load(kind, name string) *services.Service {
	b.t.Helper()
	s, err := b.Load(b.kind(kind), name)
	b.ok(err)
	return s
}

// nothing checks that there is nothing of any service.
func (b *bench) nothing() {
	b.t.Helper()
	o, err := b.engine.Observe(b.ctx, "")
	b.ok(err)
	all, err := b.All()
	b.ok(err)
	if v := b.engine.Volumes(); len(o.Instances)+len(o.Networks)+len(all)+len(v) > 0 {
		b.t.Errorf("left are %+v, %v, volumes %v", o, all, v)
	}
}

func unused(services.Ref) ([]string, error) { return nil, nil }

// TestCreate: a service runs with its own network, volume and secrets, which only the owner
// of the record can read.
func TestCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		env := "A=1;B=x y"
		s := b.create("postgres", "my-db", services.Options{Env: &env, Memory: 256, ShmSize: "64m"})
		k := b.kind("postgres")
		if got, want := b.URL(k, s, ""), "postgres://postgres:"+s.Password+"@dokku-postgres-my-db:5432/my_db"; got != want || len(s.Password) != 32 {
			t.Errorf("the URL is %s, want %s", got, want)
		}
		if got := b.URL(k, s, "postgis"); !strings.HasPrefix(got, "postgis://") {
			t.Errorf("with another scheme it is %s", got)
		}
		i, err := b.Running(b.ctx, s)
		b.ok(err)
		if i.Name != "dokku.postgres.my-db" || i.Kind != engine.KindService || i.Limits.Memory != 256<<20 || i.Policy.Name != "unless-stopped" {
			t.Errorf("the container is %+v", i)
		}
		if got := b.engine.Volumes(); len(got) != 1 || got[0] != s.Container.Volume || !strings.HasPrefix(got[0], "dokku.postgres.my-db.") {
			t.Errorf("the volumes are %v", got)
		}
		fi, err := os.Stat(b.Root(s.Ref()) + "/service.json")
		b.ok(err)
		if fi.Mode() != 0o600 {
			t.Errorf("the record has the mode %s", fi.Mode())
		}
		_, err = b.Create(b.ctx, k, "my-db", services.Options{}, event.Log{})
		b.fails(err, "Postgres service my-db already exists")
		_, err = b.Create(b.ctx, k, "d.erp", services.Options{}, event.Log{})
		b.fails(err, "Please specify a valid name for the service")
		if app.ValidName(s.Ref().Owner()) == nil {
			t.Error("an app could have the name of the service's owner")
		}
		b.ok(b.Destroy(b.ctx, k, "my-db", false, unused, event.Log{}))
		b.nothing()
	})
}

// TestCreateFails: nothing is left of a service that does not become ready, and the error
// says why.
func TestCreateFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.fake.Broken["sha256:redis:8.8.0"] = true
		_, err := b.Create(b.ctx, b.kind("redis"), "q", services.Options{}, event.Log{})
		b.fails(err, "redis q does not start: it ended with exit code 1", "the server starts")
		b.nothing()
		_, err = b.Create(b.ctx, b.kind("redis"), "q", services.Options{Version: "7"}, event.Log{})
		b.fails(err, "Redis image redis:7 pull failed", "docker load", "registry:login")
		b.nothing()
		bad := "A"
		_, err = b.Create(b.ctx, b.kind("redis"), "q", services.Options{Env: &bad}, event.Log{})
		b.fails(err, `Invalid value for --custom-env: "A" is not NAME=value`)
		b.nothing()
	})
}

// TestNoData: a kind without data has no volume, and no dumps.
func TestNoData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		s := b.create("memcached", "m", services.Options{})
		i, err := b.Running(b.ctx, s)
		b.ok(err)
		if got := i.Command; got != "memcached -m 64" || len(b.engine.Volumes()) != 0 || i.Limits.Memory != 96<<20 {
			t.Errorf("it runs %s with %d bytes, volumes %v", got, i.Limits.Memory, b.engine.Volumes())
		}
		if err := b.Export(b.ctx, b.kind("memcached"), s, io.Discard); !errors.Is(err, services.ErrNoDump) {
			t.Errorf("the export: %v", err)
		}
	})
}

// TestKeptData: destroy --keep-data keeps the volume and the passwords, and create
// --keep-data takes them up.
func TestKeptData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		k := b.kind("postgres")
		s := b.create("postgres", "db", services.Options{Version: "17.2"})
		b.engine.Volume(s.Container.Volume).Set(servicestest.Head + "rows")
		b.ok(b.Destroy(b.ctx, k, "db", true, unused, event.Log{}))
		if _, err := b.Load(k, "db"); err == nil {
			t.Error("it still exists")
		}
		if v := b.engine.Volumes(); len(v) != 1 {
			t.Errorf("the volumes are %v", v)
		}
		_, err := b.Create(b.ctx, k, "db", services.Options{}, event.Log{})
		b.fails(err, "The data of a destroyed Postgres service db are kept", "dokku postgres:create db --keep-data")

		// A failure leaves the data as they were.
		b.fake.Broken["sha256:postgres:17.2"] = true
		_, err = b.Create(b.ctx, k, "db", services.Options{Kept: true}, event.Log{})
		b.fails(err, "postgres db does not start")
		delete(b.fake.Broken, "sha256:postgres:17.2")
		next := b.create("postgres", "db", services.Options{Kept: true})
		if next.Password != s.Password || next.Container.Volume != s.Container.Volume || next.Container.Image != "postgres:17.2" || b.engine.Volume(next.Container.Volume).Get() != servicestest.Head+"rows" {
			t.Errorf("it is %+v, was %+v", next, s)
		}
		b.ok(b.Destroy(b.ctx, k, "db", true, unused, event.Log{}))
		b.ok(b.Destroy(b.ctx, k, "db", false, unused, event.Log{}))
		b.nothing()
	})
}

// TestServiceInUse: a service that apps use is not destroyed.
func TestServiceInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		s := b.create("postgres", "db", services.Options{})
		err := b.Destroy(b.ctx, b.kind("postgres"), "db", false, func(services.Ref) ([]string, error) { return []string{"shop"}, nil }, event.Log{})
		b.fails(err, "Cannot delete linked service", "is used by shop", "dokku postgres:unlink db shop")
		_, err = b.Running(b.ctx, s)
		b.ok(err)
	})
}

// TestServiceStopped: what was paused stays paused, over a restart of the engine too.
func TestServiceStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		k, r := b.kind("postgres"), services.Ref{Kind: "postgres", Name: "db"}
		s := b.create("postgres", "db", services.Options{})
		b.ok(b.Pause(b.ctx, k, "db", event.Log{}))
		b.engine.Restart()
		acted, done, err := b.Settle(b.ctx, r, event.Log{})
		_, stopped := b.Running(b.ctx, b.load("postgres", "db"))
		b.fails(stopped, "Service db container is not running", "dokku postgres:start db")
		if acted || !done || err != nil {
			t.Errorf("the agent acted: %v %v %v", acted, done, err)
		}
		b.ok(b.EnsureRunning(b.ctx, k, "db", false, event.Log{}))
		if !b.load("postgres", "db").Stopped {
			t.Error("what an app needs is started although it was paused")
		}
		b.ok(b.EnsureRunning(b.ctx, k, "db", true, event.Log{}))
		_, stopped = b.Running(b.ctx, b.load("postgres", "db"))
		b.ok(stopped)
		b.ok(b.Stop(b.ctx, k, "db", event.Log{}))
		_, stopped = b.Running(b.ctx, b.load("postgres", "db"))
		b.fails(stopped, "Service db container does not exist")
		b.ok(b.Start(b.ctx, k, "db", event.Log{}))

		// What was removed from outside is started again.
		i, err := b.Running(b.ctx, s)
		b.ok(err)
		b.ok(b.engine.Remove(b.ctx, engine.Resource{Kind: engine.Container, ID: i.ID}))
		acted, done, err = b.Settle(b.ctx, r, event.Log{})
		if !acted || !done || err != nil {
			t.Errorf("the agent: %v %v %v", acted, done, err)
		}
		_, err = b.Running(b.ctx, s)
		b.ok(err)
	})
}

// TestServiceUpgrade: a new version replaces the container and keeps the data. One that does not
// start gives way to the former one.
func TestServiceUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		k := b.kind("postgres")
		s := b.create("postgres", "db", services.Options{Version: "18.3"})
		b.engine.Volume(s.Container.Volume).Set(servicestest.Head + "rows")
		b.fake.Broken["sha256:postgres:18.4"] = true
		err := b.Upgrade(b.ctx, k, "db", services.Options{}, event.Log{}, nil, nil)
		b.fails(err, "postgres db does not start", "postgres db runs as before")
		now := b.load("postgres", "db")
		i, err := b.Running(b.ctx, now)
		b.ok(err)
		if i.Image != "sha256:postgres:18.3" || now.Former != nil || now.Container.Attempt != s.Container.Attempt {
			t.Errorf("it runs %s, the record is %+v", i.Image, now)
		}

		delete(b.fake.Broken, "sha256:postgres:18.4")
		b.ok(b.Upgrade(b.ctx, k, "db", services.Options{}, event.Log{}, nil, nil))
		now = b.load("postgres", "db")
		i, err = b.Running(b.ctx, now)
		b.ok(err)
		if i.Image != "sha256:postgres:18.4" || now.Former != nil || now.Container.Volume != s.Container.Volume {
			t.Errorf("it runs %s, the record is %+v", i.Image, now)
		}
		b.fails(b.Upgrade(b.ctx, k, "db", services.Options{Version: "17.2"}, event.Log{}, nil, nil), "Postgres 17 is older than the data of db, which are of version 18")
	})
}

// TestExpose: a service that cannot get its port goes on as before.
func TestExpose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		k := b.kind("redis")
		b.create("redis", "a", services.Options{})
		b.create("redis", "b", services.Options{})
		b.ok(b.Expose(b.ctx, k, "a", []string{"127.0.0.1:6400"}, event.Log{}))
		if got := k.Exposed(b.load("redis", "a")); got != "6379->127.0.0.1:6400" {
			t.Errorf("exposed at %s", got)
		}
		b.fails(b.Expose(b.ctx, k, "a", []string{"6401"}, event.Log{}), "Service a already exposed on port(s) 127.0.0.1:6400")
		b.fails(b.Expose(b.ctx, k, "b", []string{"6400"}, event.Log{}), "already in use", "redis b runs as before")
		_, err := b.Running(b.ctx, b.load("redis", "b"))
		b.ok(err)
		b.fails(b.Expose(b.ctx, k, "b", []string{"1", "2"}, event.Log{}), "1 ports to be exposed need to be provided in the following order: 6379")
		b.fails(b.Expose(b.ctx, k, "b", []string{"70000"}, event.Log{}), `Invalid port "70000"`)
		b.ok(b.Unexpose(b.ctx, k, "a", event.Log{}))
		b.ok(b.Expose(b.ctx, k, "b", []string{"6400"}, event.Log{}))
	})
}

// TestServiceImport: a dump replaces the data; one that is none changes nothing.
func TestServiceImport(t *testing.T) {
	for _, kind := range []string{"postgres", "redis", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				k := b.kind(kind)
				s := b.create(kind, "db", services.Options{})
				b.engine.Volume(s.Container.Volume).Set(servicestest.Head + "old")
				err := b.Import(b.ctx, k, "db", strings.NewReader("rubbish"), event.Log{})
				b.fails(err, "cannot import into "+kind+" db")
				now := b.load(kind, "db")
				if got := b.engine.Volume(now.Container.Volume).Get(); got != servicestest.Head+"old" || len(b.engine.Volumes()) != 1 {
					t.Errorf("after a failure it has %q, volumes %v", got, b.engine.Volumes())
				}
				if now.Importing.IsZero() != k.Load.Atomic {
					t.Errorf("the record says %v", now.Importing)
				}
				b.ok(b.Import(b.ctx, k, "db", strings.NewReader(servicestest.Head+"new"), event.Log{}))
				now = b.load(kind, "db")
				var out bytes.Buffer
				b.ok(b.Export(b.ctx, k, now, &out))
				if out.String() != servicestest.Head+"new" || !now.Importing.IsZero() || len(b.engine.Volumes()) != 1 {
					t.Errorf("it exports %q, volumes %v, the record is %+v", out.String(), b.engine.Volumes(), now)
				}
				copied, err := b.Clone(b.ctx, k, "db", "copy", services.Options{}, event.Log{})
				b.ok(err)
				if got := b.engine.Volume(copied.Container.Volume).Get(); got != servicestest.Head+"new" || copied.Password == now.Password {
					t.Errorf("the clone has %q", got)
				}
			})
		})
	}
}

// TestProve: a dump is proven by loading it into a throwaway service, of which nothing is
// left; the service itself stays as it is.
func TestProve(t *testing.T) {
	for kind, unit := range map[string]string{"postgres": "table", "redis": "key", "mysql": "table"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			k := b.kind(kind)
			s := b.create(kind, "db", services.Options{})
			b.engine.Volume(s.Container.Volume).Set(servicestest.Head + "now")
			found, err := b.Prove(b.ctx, k, s, strings.NewReader(servicestest.Head+"a b c"), event.Log{})
			if err != nil || found != "3 "+unit+"s" {
				t.Errorf("%s: found %q, %v", kind, found, err)
			}
			_, err = b.Prove(b.ctx, k, s, strings.NewReader("rubbish"), event.Log{})
			b.fails(err, "cannot load the dump of "+kind+" db")
			if all, err := b.All(); err != nil || len(all) != 1 || len(b.engine.Volumes()) != 1 || b.engine.Volume(s.Container.Volume).Get() != servicestest.Head+"now" {
				t.Errorf("left are %v, volumes %v (%v)", all, b.engine.Volumes(), err)
			}
		})
	}
}

// TestNewerRecord: a record that a newer version wrote stays as it is.
func TestNewerRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		k, none := b.kind("redis"), event.Log{}
		s := b.create("redis", "q", services.Options{})
		path := b.Root(s.Ref()) + "/service.json"
		data, err := os.ReadFile(path)
		b.ok(err)
		newer := strings.Replace(string(data), `"version": 1`, `"version": 2, "new": {"a": [1]}`, 1)
		b.ok(os.WriteFile(path, []byte(newer), 0o600))
		_, created := b.Create(b.ctx, k, "q", services.Options{}, none)
		_, _, settled := b.Settle(b.ctx, s.Ref(), none)
		for what, err := range map[string]error{"create": created, "settle": settled, "pause": b.Pause(b.ctx, k, "q", none), "start": b.Start(b.ctx, k, "q", none),
			"destroy": b.Destroy(b.ctx, k, "q", false, unused, none), "import": b.Import(b.ctx, k, "q", strings.NewReader(""), none),
			"expose": b.Expose(b.ctx, k, "q", nil, none), "upgrade": b.Upgrade(b.ctx, k, "q", services.Options{}, none, nil, nil)} {
			if err == nil || !strings.Contains(err.Error(), path+": it has version 2, this dokku knows up to 1: install the newer dokku again") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != newer {
			t.Errorf("the record is %s (%v)", now, err)
		}
	})
}
