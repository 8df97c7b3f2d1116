package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"testing"

	"dokku/agent"
	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proc"
	proxymemory "dokku/agent/proxy/memory"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/build"
	"dokku/build/null"
)

// A machine is a server with an engine and a proxy in memory. It can lose power
// before any change that the server makes to a file, the engine or the route. Nothing
// works then until it is turned on again.
type machine struct {
	t      *testing.T
	root   string
	engine *memory.Engine
	proxy  *proxymemory.Proxy
	server *agent.Server
	ca     *fakeCA // see withCA

	mu    sync.Mutex
	count int      // changes so far
	names []string // the changes
	kill  int      // loses power before this change; 0: never
	dead  bool
	// packs are the packs of pushes, by revision.
	packs  map[string]pack
	oldGit bool // git before 2.36, which syncs no reference
	// visit replaces the counting if it is set.
	visit func(name string) error
}

var errDead = errors.New("the machine has no power")

// newMachine returns a machine with one app, whose first revision is deployed.
func newMachine(t *testing.T, h history) *machine {
	t.Helper()
	m := &machine{t: t, root: inMemory(t), engine: memory.New(), proxy: proxymemory.New()}
	m.engine.Behave(behaviour)
	for _, image := range []string{"postgres:19.1", "postgres:18.4", "postgres:18.3", "redis:8.8.0"} {
		m.engine.SetImage("", engine.ImageInfo{ID: "sha256:" + image}, image)
	}
	m.turnOn()
	ctx := context.Background()
	if err := m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error {
		s.Checks, s.KeepReleases = map[string]string{"default-wait": "0", "wait-to-retire": "0"}, 2
		s.Letsencrypt = map[string]string{app.ACMEServer: "https://ca.test/directory"} // which knows private names
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := m.server.Create(ctx, "shop", false); err != nil {
		t.Fatal(err)
	}
	h.fetch(t, m.server.Env.Store.Dir("shop"))
	if err := m.push(deploy.ZeroID, h.one); err != nil {
		t.Fatal(err)
	}
	if err := m.server.Scale(ctx, "shop", map[string]int{"web": 2, "worker": 1}, false, event.Log{}); err != nil {
		t.Fatal(err)
	}
	m.settle()
	m.count, m.names = 0, nil
	return m
}

// behaviour is the behaviour of a working app.
func behaviour(s engine.Spec) memory.Behaviour {
	if b, ok := served.Behave(s); ok {
		return b
	}
	return memory.Behaviour{Output: []string{s.Type + " ran"}, Exits: s.Kind == engine.KindRelease || s.Kind == engine.KindCron}
}

// inMemory returns a folder where fsync is cheap, if the host has one. Kills happen
// between calls, so the disk's cache does not matter.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "dokku-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// turnOn starts the server anew, without the state that it had in memory.
func (m *machine) turnOn() {
	m.mu.Lock()
	m.dead, m.kill = false, 0
	m.mu.Unlock()
	if m.ca == nil {
		m.ca = newFakeCA()
		m.ca.same, m.ca.step = true, m.change
	}
	s := &agent.Server{Env: &deploy.Env{Store: &store.Store{Root: m.root, Fault: m.change}, Machine: m.engine, Router: m.proxy, Build: m.build, Dial: dialNothing,
		Owner: func() (proc.Owner, error) { return proc.Owner{Boot: "before the last reboot"}, nil }}, Binary: "/bin/true",
		CA: func(acme.Config) acme.CA { return m.ca }}
	m.server = s
	m.engine.Fail(func(call string, _ ...any) error {
		switch call {
		case "Start", "Rename", "Stop", "Remove", "Network", "Tag", "Pull", "Load", "RunAttached", "ExecAttached", "RenewNodeService":
			return m.change(call)
		}
		return m.powered()
	})
	m.proxy.Fail(func(call, _ string) error {
		if call == "publish" || call == "withdraw" {
			return m.change(call)
		}
		return m.powered()
	})
}

func (m *machine) powered() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	return nil
}

// change counts a change, and turns the machine off before the chosen one.
func (m *machine) change(name string) error {
	if m.visit != nil {
		return m.visit(name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	m.count++
	m.names = append(m.names, name)
	if m.count == m.kill {
		m.dead = true
		return errDead
	}
	return nil
}

func dialNothing(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	b.Close()
	return a, nil
}

// build stands in for an image build. The image carries the app's label.
func (m *machine) build(ctx context.Context, r build.Request) (build.Result, error) {
	if err := m.change("build"); err != nil {
		return build.Result{}, err
	}
	if r.Selected == build.Null {
		return build.Builders{null.Builder{}}.Build(ctx, r)
	}
	info := m.engine.SetImage(r.App, engine.ImageInfo{ID: "sha256:" + r.Commit.Tree, Ports: []int{8080}})
	return build.Result{ImageID: info.ID}, nil
}

// push does git's part: pre-receive, the move of the ref, post-receive.
func (m *machine) push(old, new string) error {
	return m.pushTo(context.Background(), "shop", old, new, event.Log{})
}

func (m *machine) pushLogged(old, new string, log event.Log) error {
	return m.pushTo(context.Background(), "shop", old, new, log)
}

func (m *machine) pushTo(ctx context.Context, app, old, new string, log event.Log) error {
	return m.pushWith(ctx, app, old, new, deploy.PushOptions{}, log)
}

// pushWith is git push -o.
func (m *machine) pushWith(ctx context.Context, app, old, new string, o deploy.PushOptions, log event.Log) error {
	p := deploy.Push{App: app, Refs: []deploy.Ref{{Old: old, New: new, Name: "refs/heads/main"}}, Options: o}
	return m.send(ctx, p, m.packs[new], log)
}

// settle runs the agent until nothing is left to do.
func (m *machine) settle() {
	m.t.Helper()
	for range 4 {
		if _, done, err := m.server.TryReconcile(context.Background(), m.app(), false, event.Log{}); !done || err != nil {
			m.t.Fatalf("the agent cannot reconcile: done=%v, %v", done, err)
		}
		if err := m.settleServices(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// serving checks that each address of the proxy belongs to a running process.
func (m *machine) serving() error {
	m.proxy.Fail(nil)
	m.engine.Fail(nil)
	ctx := context.Background()
	live, ok, _ := m.proxy.Live(ctx, "shop")
	if other, renamed, _ := m.proxy.Live(ctx, "store"); renamed {
		if ok {
			return fmt.Errorf("both names are published: %+v, %+v", live, other)
		}
		live, ok = other, true
	}
	o, _ := m.engine.Observe(ctx, "")
	if !ok || len(live.Upstreams) == 0 {
		return fmt.Errorf("nothing is published")
	}
	for _, u := range live.Upstreams {
		if !slices.ContainsFunc(o.Instances, func(i engine.Instance) bool { return i.Running() && i.Reach(int(u.Port())) == u }) {
			return fmt.Errorf("v%d is published at %s, where nothing runs", live.Release, u)
		}
	}
	return nil
}

// atRest checks the invariants I2, I3 and I5: all processes run the current release,
// the served version matches the ref, and no other resources exist.
func (m *machine) atRest() error {
	ctx := context.Background()
	name := m.app()
	a, err := m.server.Env.Store.Load(name)
	if err != nil {
		return err
	}
	ref, err := repo.Ref(a.Dir, "refs/heads/main")
	if err != nil || a.Current.Revision != ref {
		return fmt.Errorf("the ref says %s, v%d runs %s (%v)", ref, a.State.Current, a.Current.Revision, err)
	}
	set, serr := m.server.Env.Store.Settings()
	f, err := app.View{App: a, Settings: set}.Formation()
	err = errors.Join(serr, err)
	if err != nil {
		return err
	}
	want := []string{}
	for _, e := range f {
		for n := range e.Count {
			want = append(want, fmt.Sprintf("%s.%s.%d v%d", name, e.Type, n+1, a.Current.Identity(e.Type).Release))
		}
	}
	if a.State.Stopped && name != "shop" {
		want = want[:0] // a rename keeps only running containers
	}
	o, err := m.engine.Observe(ctx, name)
	if err != nil {
		return err
	}
	got := []string{}
	for _, i := range o.Instances {
		got = append(got, fmt.Sprintf("%s v%d", i.Name, i.Release))
		if i.Attempt != a.Current.Identity(i.Type).Attempt || i.Running() == a.State.Stopped {
			return fmt.Errorf("%s is %s, of attempt %s; stopped is %v", i.Name, i.Status, i.Attempt, a.State.Stopped)
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("containers %v, want %v", got, want)
	}
	// The image under a release is not of our making: it has a name of the app and no label.
	labelled := slices.DeleteFunc(slices.Clone(o.Images), func(i engine.Image) bool { return i.ID == sourceImage.ID })
	if err := m.servicesRest(); err != nil {
		return err
	}
	if all, err := m.observeApps(); err != nil || len(all.Instances)+len(all.Networks)+len(all.Images) !=
		len(o.Instances)+len(o.Networks)+len(labelled) {
		return fmt.Errorf("something belongs to no app: %+v (%v)", all, err)
	}
	if err := m.exclusive(a); err != nil {
		return err
	}
	if a.State.Renamed != nil {
		return fmt.Errorf("the state still has renamed %+v", a.State.Renamed)
	}
	if a.State.Staged != nil || len(a.State.Retiring) != 0 {
		return fmt.Errorf("the state still has staged %v, retiring %v", a.State.Staged, a.State.Retiring)
	}
	return m.onlyKept(o)
}

func (m *machine) onlyKept(o engine.Observed) error {
	releases, err := m.server.Env.Store.Releases(m.app())
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, r := range releases {
		kept[r.Image] = true
		if r.SourceImage != "" {
			kept[r.SourceImage] = true
		}
	}
	for _, i := range o.Images {
		if !kept[i.ID] {
			return fmt.Errorf("image %s is of no kept release", i.ID)
		}
	}
	if left := m.staging(); len(left) > 0 {
		return fmt.Errorf("the folders of commands are left: %q", left)
	}
	networks := 1
	if a, err := m.server.Env.Store.Load(m.app()); err == nil && a.Current.OnSwarm() {
		networks = 2 // the overlay
	}
	if tooMany(releases) || len(o.Networks) != networks {
		return fmt.Errorf("%d releases, %d networks instead of %d", len(releases), len(o.Networks), networks)
	}
	return nil
}

// tooMany reports whether more releases are kept than those of two images, which is the
// setting of these tests, four for each.
func tooMany(releases []*app.Release) bool {
	images := map[string]bool{}
	for _, r := range releases {
		images[r.Image] = true
	}
	return len(images) > 2 || len(releases) > 8
}

// TestKilledAnywhere kills each operation before each of its changes, one at a time,
// and lets the agent recover.
func TestKilledAnywhere(t *testing.T) {
	h := newHistory(t)
	total := 0
	for _, test := range operations(context.Background(), h, agenttest.Killed) {
		t.Run(test.Name, func(t *testing.T) {
			whole := newBase(t, h, test.From)
			if err := test.do(whole); err != nil {
				t.Fatalf("cannot do it undisturbed: %v", err)
			}
			whole.settle()
			if err := whole.atRest(); err != nil {
				t.Fatalf("undisturbed: %v", err)
			}
			n := whole.count
			if n < test.Changes {
				t.Errorf("%d changes were counted, there were %d once: %v", n, test.Changes, whole.names)
			}
			for k := 1; k <= n; k++ {
				killed(t, h, k, test)
			}
			total += n
			t.Logf("killed before each of %d changes", n)
		})
	}
	t.Logf("%d kills", total)
}

// killed performs one kill and the recovery from it.
func killed(t *testing.T, h history, k int, test operation) {
	m, stops := newBase(t, h, test.From), test.Away
	m.kill = k
	test.do(m)
	where := fmt.Sprintf("killed before change %d (%s)", k, m.names[len(m.names)-1])
	if err := m.serving(); err != nil && !stops {
		t.Fatalf("%s: an outage: %v", where, err)
	}
	m.turnOn()
	m.settle()
	if err := m.atRest(); err != nil {
		t.Fatalf("%s: after recovery: %v\n%v", where, err, m.names)
	}
	a, _ := m.server.Env.Store.Load(m.app())
	if err := m.serving(); err != nil && !a.State.Stopped && !a.State.ProxyDisabled {
		t.Fatalf("%s: after recovery: %v", where, err)
	}
}
