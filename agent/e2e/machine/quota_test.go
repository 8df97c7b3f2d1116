package machine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/build"
)

// quota gives shop a disk quota.
func (m *machine) quota(value string) {
	m.t.Helper()
	code, text := m.says("apps:set shop disk-quota " + value)
	if code != 0 {
		m.t.Fatal(text)
	}
}

// TestDiskQuota: a pusher fills the server's disk, by 200 MB on a side branch, by a cache that a
// step mounts, by what a process writes beside its image, or by a push of 1.6 MB whose image has 5.3 GB. What is over the quota is refused
// before any of it is kept, and says what has how much.
func TestDiskQuota(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	large := int64(0)
	built := m.server.Env.Build
	m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
		res, err := built(ctx, r)
		if err == nil && large > 0 {
			m.engine.SetImage(r.App, engine.ImageInfo{ID: res.ImageID, Ports: []int{8080}, Size: large})
		}
		return res, err
	}
	before := m.load("shop").State.Current
	refused := func(name string, wants ...string) {
		t.Helper()
		err := m.push(h.one, h.two)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
		if st := m.load("shop").State; st.Current != before || st.Staged != nil {
			t.Errorf("%s: %+v", name, st)
		}
		m.settle()
		o, err := m.engine.Observe(t.Context(), "shop")
		check(t, err)
		if len(o.Images) != 1 {
			t.Errorf("%s: %d images are left", name, len(o.Images))
		}
	}
	m.quota("100m")
	branch := filepath.Join(m.server.Env.Store.Dir("shop"), "objects", "pack", "pack-1.pack")
	check(t, os.WriteFile(branch, make([]byte, 200<<20), 0o600))
	refused("a branch", "cannot accept this push: shop may keep 105 MB on the server's disk, and it would keep 210 MB (repository 210 MB, images 0 B, build cache 0 B)\n"+
		"Make the image smaller, or remove what it does not need: branches and files of its history (then dokku repo:gc shop), older releases (dokku releases:set shop keep 1), "+
		"caches (dokku repo:purge-cache shop), what its processes have written (dokku ps:restart shop); or an admin raises the quota: dokku apps:set shop disk-quota SIZE")
	check(t, os.Remove(branch))

	m.engine.SetAppCache("shop", 300<<20)
	refused("a cache", "cannot accept this push: shop may keep 105 MB on the server's disk, and it would keep ", "images 0 B, build cache 315 MB)")
	if code, text := m.says("repo:purge-cache shop"); code != 0 {
		t.Error(text)
	}

	m.engine.SetCacheOf("shop", "cache-shop", 300<<20)
	refused("a volume of builds", "cannot accept this push: shop may keep 105 MB on the server's disk, and it would keep ", "images 0 B, build cache 315 MB)")
	if code, text := m.says("repo:purge-cache shop"); code != 0 {
		t.Error(text)
	}

	o, err := m.engine.Observe(t.Context(), "shop")
	check(t, err)
	for _, i := range o.Instances {
		m.engine.SetWritten(i.ID, 300<<20)
	}
	refused("a process", "cannot accept this push: shop may keep 105 MB on the server's disk, and it would keep ", ", written by containers ")
	check(t, m.server.Restart(t.Context(), "shop", event.Log{}))
	m.settle()
	before = m.load("shop").State.Current

	large = 5300 << 20
	refused("an image", "shop may keep 105 MB on the server's disk, and it would keep 5.6 GB ", "images 5.6 GB, build cache 0 B)")

	m.quota("none")
	check(t, m.push(h.one, h.two))
	m.settle()
	if code, text := m.says("apps:report shop --app-disk-use"); code != 0 || !strings.HasSuffix(text, "images 5.6 GB, build cache 0 B)\n") {
		t.Errorf("%d %s", code, text)
	}
}

// TestBuildFillsTheDisk: a step of a build writes until nothing is left. The build ends once it
// has written what the quota leaves, and, whatever the quota, once the disk is full. While
// another app deploys, what is written may be the other's.
func TestBuildFillsTheDisk(t *testing.T) {
	h := newHistory(t)
	for _, c := range []struct {
		name, quota, want string
		least             int64 // what the build leaves free
		other             bool
	}{
		{"a quota", "1g", "shop may keep 1.1 GB on the server's disk, and it keeps ", 100 << 30, false},
		{"a full disk", "none", "cannot build: the server's disk is full (", 10 << 20, false},
		{"another app's deploy", "1g", "", 100 << 30, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, h)
			m.quota(c.quota)
			var free atomic.Int64
			free.Store(200 << 30)
			m.server.Env.FreeSpace = func(string) (int64, error) { return free.Load(), nil }
			if c.other {
				check(t, m.server.Create(t.Context(), "blog", false))
				l, err := m.server.Env.Store.LockApp(t.Context(), "blog", "a push", event.Log{})
				check(t, err)
				defer l.Release()
			}
			built := m.server.Env.Build
			m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
				free.Store(c.least)
				select {
				case <-ctx.Done():
					return build.Result{}, ctx.Err()
				case <-time.After(3 * time.Second):
				}
				return built(ctx, r)
			}
			err := m.push(h.one, h.two)
			if c.want == "" {
				check(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && c.quota != "none" && !strings.Contains(err.Error(), ", and this build had written more than what is left\n") {
				t.Error(err)
			}
		})
	}
}

// TestDiskQuotaKept: the quota goes with a rename. Clones and backups: testdata/script.
func TestDiskQuotaKept(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.quota("20%")
	check(t, m.server.Rename(t.Context(), "shop", "store", true, event.Log{}))
	if st := m.load("store").State; st.Apps[app.PropDiskQuota] != "20%" {
		t.Errorf("%v", st.Apps)
	}
}
