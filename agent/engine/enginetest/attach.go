package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dokku/agent/engine"
)

// printed waits for the process to be ready and returns its output.
func (a *app) printed(s engine.Spec) string {
	a.t.Helper()
	return a.log(a.start(s).ID, engine.LogOptions{})
}

// shared makes a network that apps can join, which is removed after the test.
func (r *run) shared(t *testing.T, a *app, name string) engine.NetworkInfo {
	t.Helper()
	n, err := a.Host.CreateNetwork(a.ctx, name)
	a.ok(err)
	// Clean the app first: its own cleanup, which is registered earlier, runs later.
	t.Cleanup(func() {
		a.clean()
		a.remove(engine.NetworkKind, n.ID)
	})
	return n
}

// folder is a folder of the host that any user may write to.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mounts(t *testing.T, r *run) {
	a := r.app(t)
	dir, volume := folder(t), a.name+"-volume"
	if err := os.WriteFile(filepath.Join(dir, "host"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := a.spec(1, Program{Writes: []string{"/data/x", "/read-only/y", "/volume/z"}, Reads: []string{"/data/host", "/read-only/host"}})
	s.Mounts = []engine.Mount{{Source: dir, Target: "/data"}, {Source: dir, Target: "/read-only", ReadOnly: true},
		{Source: volume, Target: "/volume"}}
	t.Cleanup(func() { a.clean(); a.RemoveVolume(t, volume) })
	equal(t, "it prints", a.printed(s), "wrote /data/x\ncannot write /read-only/y\nwrote /volume/z\n"+
		"read hello from /data/host\nread hello from /read-only/host\nready\n")
	if data, err := os.ReadFile(filepath.Join(dir, "x")); string(data) != "written\n" {
		t.Errorf("the host's file holds %q, error %v", data, err)
	}

	// The written data stays when another container replaces the first.
	a.remove(engine.Container, s.Name)
	next := a.spec(2, Program{Reads: []string{"/data/x", "/volume/z"}})
	next.Mounts = s.Mounts
	equal(t, "the next one prints", a.printed(next), "read written from /data/x\nread written from /volume/z\nready\n")
}

func mountMissing(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{})
	missing := filepath.Join(t.TempDir(), "missing")
	s.Mounts = []engine.Mount{{Source: missing, Target: "/data"}}
	_, err := a.Host.Start(a.ctx, s)
	a.fails(err, nil, "cannot start web.1 of app "+a.name, missing)
	a.instances()
	if _, err := os.Stat(missing); err == nil {
		t.Errorf("the engine makes the folder that it mounts")
	}
}

func joined(t *testing.T, r *run) {
	a, db, stranger := r.app(t), r.app(t), r.app(t)
	net := r.shared(t, a, a.name+"-shared")
	t.Cleanup(db.clean)
	server := db.spec(1, Program{Ports: []int{8080}})
	server.Joins, server.Aliases = []string{net.Name}, []string{db.name + ".web", "postgres"}
	db.start(server)

	// The process connects first of all.
	want := []string{"postgres:8080", db.name + ".web:8080", server.Name + ":8080"}
	s := a.spec(1, Program{Dials: want})
	s.Joins, s.Address = []string{net.Name}, a.address(5)
	i := a.start(s)
	equal(t, "it prints", a.log(i.ID, engine.LogOptions{}), "reached "+strings.Join(want, "\nreached ")+"\nready\n")
	equal(t, "address on the app's own network", i.Address, s.Address)

	other := stranger.spec(1, Program{Dials: []string{"postgres:8080"}})
	equal(t, "an app elsewhere prints", stranger.printed(other), "cannot reach postgres:8080\nready\n")

	// It is in the network again after a restart, and prevents the network's removal.
	a.stop(i.ID)
	err := a.Host.Remove(a.ctx, engine.Resource{Kind: engine.NetworkKind, ID: net.ID})
	a.fails(err, engine.ErrInUse, s.Name, server.Name)
	again, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	a.until(again.ID, func(engine.Instance) bool {
		return strings.Count(a.log(again.ID, engine.LogOptions{}), "reached "+want[0]) == 2
	})
	equal(t, "address after a restart", again.Address, s.Address)
}

func joinMissing(t *testing.T, r *run) {
	a := r.app(t)
	net := r.shared(t, a, a.name+"-shared")
	s := a.spec(1, Program{})
	s.Joins = []string{net.Name, a.name + "-missing"}
	_, err := a.Host.Start(a.ctx, s)
	a.fails(err, engine.ErrNoJoin, "cannot start web.1 of app "+a.name, a.name+"-missing")
	a.instances()
}

func sharedNetworks(t *testing.T, r *run) {
	a := r.app(t)
	net := r.shared(t, a, a.name+"-shared")
	equal(t, "made", net.Managed, true)
	equal(t, "app", net.App, "")
	equal(t, "driver", net.Driver, "bridge")
	_, err := a.Host.CreateNetwork(a.ctx, net.Name)
	a.fails(err, engine.ErrNetworkExists, net.Name)
	_, err = a.Host.CreateNetwork(a.ctx, engine.NetworkName(a.name))
	a.fails(err, engine.ErrNetworkExists)

	all, err := a.Host.AllNetworks(a.ctx)
	a.ok(err)
	found := map[string]engine.NetworkInfo{}
	for _, n := range all {
		found[n.Name] = n
	}
	equal(t, "id in the list", found[net.Name].ID, net.ID)
	equal(t, "made in the list", found[net.Name].Managed, true)
	equal(t, "app of the app's own", found[engine.NetworkName(a.name)].App, a.name)
	equal(t, "the app's own was made for all", found[engine.NetworkName(a.name)].Managed, false)
	sorted := slices.IsSortedFunc(all, func(a, b engine.NetworkInfo) int { return strings.Compare(a.Name, b.Name) })
	equal(t, "sorted", sorted, true)
	equal(t, "the app's networks", len(a.observe().Networks), 1)
	equal(t, "interface", net.Bridge != "" && net.Bridge == found[net.Name].Bridge, true)
	equal(t, "interface of the app's own", strings.HasPrefix(found[engine.NetworkName(a.name)].Bridge, "dk-"), true)

	// Who is in it, at which addresses.
	s := a.spec(1, Program{})
	s.Joins, s.Filtered = []string{net.Name}, true
	i := a.start(s)
	members := func() string {
		all, err := a.Host.Members(a.ctx)
		a.ok(err)
		var list []string
		for _, m := range all {
			if m.App == a.name && len(m.Addresses) == 1 {
				own := m.Network == engine.NetworkName(a.name) && m.Addresses[0] == i.Address
				list = append(list, fmt.Sprintf("own address %t, shared %t, filtered %t", own, m.Network == net.Name, m.Filtered))
			}
		}
		slices.Sort(list)
		return strings.Join(list, "; ")
	}
	equal(t, "members", members(), "own address false, shared true, filtered true; own address true, shared false, filtered true")
	a.stop(i.ID)
	// Docker 26 lists a container as running for a moment after its stop.
	a.eventually("nobody is in it after the stop", func() bool { return members() == "" })

	for n, kind := range []engine.Kind{engine.KindDeploy, engine.KindRun, engine.KindCron} {
		s := a.spec(2+n, Program{})
		s.Kind = kind
		a.start(s)
	}
	running, err := a.Host.Members(a.ctx)
	a.ok(err)
	oneOffs := 0
	for _, m := range running {
		if m.App == a.name && m.OneOff {
			oneOffs++
		}
	}
	equal(t, "commands and cron tasks", oneOffs, 2)
}

func limits(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{})
	s.Limits = engine.Limits{Memory: 64 << 20, MemoryReservation: 32 << 20, NanoCPUs: 250_000_000}
	i := a.start(s)
	equal(t, "limits", i.Limits, s.Limits)
	equal(t, "no limits", a.start(a.spec(2, Program{})).Limits, engine.Limits{})
}

// readOnly: a process of a read-only root folder writes only into what is mounted and into
// folders in memory, whose content ends with the container.
func readOnly(t *testing.T, r *run) {
	a := r.app(t)
	dir := folder(t)
	writes := []string{"/x", "/scratch/y", "/data/z"}
	s := a.spec(1, Program{Writes: writes})
	s.Mounts = []engine.Mount{{Source: dir, Target: "/data"}}
	s.Options = engine.Options{ReadOnly: true, Tmpfs: map[string]string{"/scratch": "size=1m,mode=1777"}}
	equal(t, "it prints", a.printed(s), "cannot write /x\nwrote /scratch/y\nwrote /data/z\nready\n")

	next := a.spec(2, Program{Reads: []string{"/scratch/y"}})
	next.Options.Tmpfs = map[string]string{"/scratch": ""}
	equal(t, "the next one prints", a.printed(next), "cannot read /scratch/y\nready\n")
}

func memoryLimit(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{Allocates: 200 << 20, Exits: true})
	s.Limits.Memory = 16 << 20
	i, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	last, err := a.Host.Wait(a.ctx, i.ID)
	a.ok(err)
	equal(t, "exit code", last.ExitCode, 137)
	equal(t, "killed for its memory", last.OOMKilled, true)

	enough := a.spec(2, Program{Allocates: 8 << 20, Exits: true})
	enough.Limits.Memory = 64 << 20
	i, err = a.Host.Start(a.ctx, enough)
	a.ok(err)
	last, err = a.Host.Wait(a.ctx, i.ID)
	a.ok(err)
	equal(t, "exit code with enough", last.ExitCode, 0)
}

func folders(t *testing.T, r *run) {
	a := r.bare(t)
	dir := t.TempDir()
	uid := 32767
	if os.Getuid() != 0 {
		uid = os.Getuid()
	}
	owned := func() {
		t.Helper()
		a.ok(a.Host.Chown(a.ctx, dir, "data", uid))
		fi, err := os.Stat(filepath.Join(dir, "data"))
		a.ok(err)
		st := fi.Sys().(*syscall.Stat_t)
		equal(t, "owner", int(st.Uid), uid)
		equal(t, "group", int(st.Gid), uid)
		equal(t, "mode", fi.Mode(), os.ModeDir|0o755)
	}
	owned()
	file := filepath.Join(dir, "data", "kept")
	a.ok(os.WriteFile(file, []byte("kept"), 0o600))
	a.ok(os.Chown(filepath.Join(dir, "data"), os.Getuid(), os.Getgid()))
	owned()
	if data, err := os.ReadFile(file); string(data) != "kept" {
		t.Errorf("the file in the folder holds %q, error %v", data, err)
	}
	missing := filepath.Join(dir, "missing")
	a.fails(a.Host.Chown(a.ctx, missing, "data", uid), nil, missing)
	if _, err := os.Stat(missing); err == nil {
		t.Errorf("the engine makes %s", missing)
	}
}
