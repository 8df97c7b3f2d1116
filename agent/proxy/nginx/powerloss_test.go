package nginx

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"dokku/agent/disk"
	"dokku/agent/disk/disktest"
	"dokku/agent/proxy"
)

// unrecorded matches the files of the proxy's folder that a loss of power frees.
func unrecorded(name string) bool { return name == "lock" }

// inMemory is a folder where a sync costs nothing, if the host has one.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "dokku-test-")
	if err != nil {
		return t.TempDir()
	}
	return dir
}

// fakeNginx reports the generation that it serves: always the one that live names.
func fakeNginx(t *testing.T, dir string) (port int) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		target, _ := os.Readlink(filepath.Join(dir, liveLink))
		fmt.Fprintf(w, "%s %d", filepath.Base(target), os.Getpid())
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

func lossConfig(dir string, port int) Config {
	return Config{Dir: dir, Port: port, Check: []string{"true"}, Reload: []string{"true"}, Hostnames: []string{"host"}}
}

func lossRoute(app string, release int) proxy.Route {
	r, err := proxy.Route{App: app, Release: release, Domains: []string{app + ".example.com"},
		Upstreams: []netip.AddrPort{netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", release))}}.Checked()
	if err != nil {
		panic(err)
	}
	return r
}

// A published set holds the live routes after a number of operations on files, as they
// were reported.
type published struct {
	ops    int
	routes map[string]proxy.Route
}

// TestPowerLoss cuts the power at each moment of some publications. nginx then starts with
// one whole tree, with the routes before or after; once an operation has returned, after.
func TestPowerLoss(t *testing.T) {
	dir := inMemory(t)
	defer os.RemoveAll(dir)
	port := fakeNginx(t, dir)
	rec, err := disktest.Record(dir, unrecorded)
	if err != nil {
		t.Fatal(err)
	}
	c := lossConfig(dir, port)
	c.Disk = disk.Disk{Watch: rec.Watch}
	n := New(c)
	steps := []published{{0, map[string]proxy.Route{}}}
	do := func(err error, change func(map[string]proxy.Route)) {
		if err != nil {
			t.Fatal(err)
		}
		routes := maps.Clone(steps[len(steps)-1].routes)
		change(routes)
		steps = append(steps, published{len(rec.Ops()), routes})
	}
	publish := func(r proxy.Route) {
		do(n.Stage(t.Context(), r), func(map[string]proxy.Route) {})
		do(n.Publish(t.Context(), r), func(m map[string]proxy.Route) {
			delete(m, r.Replaces)
			r.Replaces = ""
			m[r.App] = r
		})
	}
	publish(lossRoute("hello", 1))
	publish(lossRoute("shop", 1))
	for release := 2; release < 4; release++ { // rejected after they were staged
		do(n.Stage(t.Context(), lossRoute("hello", release)), func(map[string]proxy.Route) {})
	}
	publish(lossRoute("hello", 4))
	store := lossRoute("store", 1)
	store.Replaces = "shop"
	publish(store)
	do(n.Withdraw(t.Context(), "hello"), func(m map[string]proxy.Route) { delete(m, "hello") })
	if err := rec.Complete(); err != nil {
		t.Fatal(err)
	}

	count, wrong, step := 0, 0, 0
	for ops := range len(rec.Ops()) + 1 {
		for step+1 < len(steps) && steps[step+1].ops <= ops {
			step++
		}
		may := []map[string]proxy.Route{steps[step].routes}
		if step+1 < len(steps) {
			may = append(may, steps[step+1].routes)
		}
		for _, s := range rec.States(ops, 4, 1) {
			count++
			if err := afterLoss(t, s, may, port); err != nil && wrong < 3 {
				wrong++
				t.Errorf("after %d operations, %s: %v", ops, s.Name, err)
			}
		}
	}
	t.Logf("%d operations on files recorded, %d states checked", len(rec.Ops()), count)
	if len(rec.Ops()) < 115 || count < 500 {
		t.Error("there were more once")
	}
}

// afterLoss looks at the surviving files as nginx does when it starts, and as the next
// deploy of each app does.
func afterLoss(t *testing.T, s disktest.State, may []map[string]proxy.Route, port int) error {
	dir := inMemory(t)
	defer os.RemoveAll(dir)
	err := s.Tree.Write(dir)
	if err != nil {
		return err
	}
	// Nothing listens on port 1. Both take nginx for the oldest: to ask it takes time.
	n, next := New(lossConfig(dir, 1)), New(lossConfig(dir, port))
	n.version, next.version = func() version { return version{} }, func() version { return version{} }
	live, err := n.linked(liveLink)
	if err != nil || live == "" {
		if len(may[0]) > 0 {
			return fmt.Errorf("nothing is live (%w)", err)
		}
		return err
	}
	got := map[string]proxy.Route{}
	for _, app := range []string{"hello", "shop", "store"} {
		r, ok, err := n.Live(t.Context(), app)
		if err != nil {
			return err
		}
		if r.Outdated = false; ok { // the files are those of another port
			got[app] = r
		}
	}
	same := func(m map[string]proxy.Route) bool { return maps.EqualFunc(m, got, proxy.Route.Same) }
	if !slices.ContainsFunc(may, same) {
		return fmt.Errorf("live are %v, want one of %v", got, may)
	}
	if err := whole(n, live, got); err != nil {
		return err
	}
	for release := range 5 {
		r := lossRoute("hello", release+1)
		d, err := n.draft(live, []change{{r.App, &r}}, false)
		if err != nil {
			return err
		}
		generation, err := next.tested(t.Context(), d)
		if err != nil {
			return err
		}
		after := maps.Clone(got)
		after["hello"] = r
		if err := whole(n, generation, after); err != nil {
			return fmt.Errorf("to go live as release %s of hello: %w", strconv.Itoa(r.Release), err)
		}
	}
	return nil
}

// whole returns an error unless a tree has exactly the files of the routes, each with the
// right content.
func whole(n *Proxy, generation string, routes map[string]proxy.Route) error {

	for app, r := range routes {

		file, err := os.ReadFile(n.tree(generation, app+".conf"))
		back, perr := parseApp(app, file)
		if err != nil || perr != nil || !back.Same(r) {
			return fmt.Errorf("tree %s has of %s %q (%w)", generation, app, file, err)
		}
	}
	shared, err := os.ReadFile(n.tree(generation, serverFile))
	if err != nil || len(bytes.TrimSpace(shared)) == 0 || !bytes.HasSuffix(shared, []byte("\n")) {
		return fmt.Errorf("tree %s has the shared file %q (%w)", generation, shared, err)
	}
	entries, err := os.ReadDir(n.tree(generation))
	for _, e := range entries {
		if app, ok := appOf(e.Name()); ok && routes[app].App == "" {
			return fmt.Errorf("tree %s has %s", generation, e.Name())
		}
	}
	return err
}

// TestHalfRemoved: a staged tree without another app's file does not go live. A loss of
// power can keep half of a tree's removal.
func TestHalfRemoved(t *testing.T) {
	dir := t.TempDir()
	n := New(lossConfig(dir, fakeNginx(t, dir)))
	r := lossRoute("hello", 2)
	for _, err := range []error{n.Publish(t.Context(), lossRoute("shop", 1)), n.Stage(t.Context(), r)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	staged, err := n.linked(stagedLink)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(n.tree(staged, "shop.conf")); err != nil {
		t.Fatal(err)
	}
	if err := n.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := n.Live(t.Context(), "shop"); !ok || err != nil {
		t.Errorf("the other app is not live any longer (%v)", err)
	}
}
