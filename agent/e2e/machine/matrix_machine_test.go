package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proxy"
	proxymemory "dokku/agent/proxy/memory"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// A rig is a machine in which one fault strikes at one point of an operation. It lives
// in a bubble of testing/synctest, with the bubble's clock. The seed decides the order
// of parallel calls.
type rig struct {
	*machine
	seed  uint64
	at    string // the point, see key
	fault fault
	// cancel ends the operation's context, as if its client had gone away.
	cancel context.CancelFunc

	mu       sync.Mutex
	seen     map[string]int
	trace    []string // the points in their order
	struck   bool
	dying    bool // dies at the next point
	dead     bool
	over     bool // the operation has returned: no further fault at its points
	left     int  // then, dies after so many points; 0: never
	down     bool // the proxy refuses
	watching bool // the app must be served at every point
	// named maps containers in the proxy's routes to the time they were last named. It
	// is nil unless the test checks their time to retire.
	named  map[string]time.Time
	outage error
	crons  int // starts of the cron task
}

// newRig returns a rig with a copy of base's state.
func newRig(t *testing.T, base *machine, seed uint64, at string, f fault) (*rig, error) {
	m := &machine{t: t, root: inMemory(t), engine: base.engine.Clone(), proxy: proxymemory.New(),
		packs: base.packs, oldGit: base.oldGit}
	r := &rig{machine: m, seed: seed, at: at, fault: f, seen: map[string]int{}}
	if err := copyTree(base.root, m.root); err != nil {
		return nil, err
	}
	live, ok, err := base.proxy.Live(context.Background(), "shop")
	if ok && err == nil {
		err = m.proxy.Publish(context.Background(), live)
	}
	r.on()
	return r, err
}

// on starts the server anew, without the state that it had in memory.
func (r *rig) on() {
	r.mu.Lock()
	r.dead, r.dying = false, false
	r.mu.Unlock()
	r.turnOn()
	r.machine.visit = func(name string) error { return r.visit(name) }
	r.server.Env.Store.Fault = func(what string) error { return r.visit("file: " + what) }
	r.server.Env.Router = &faultyProxy{r.machine.proxy, r}
	r.machine.proxy.Fail(nil)
	r.engine.Fail(func(call string, args ...any) error {
		label := "engine: " + call
		if len(args) > 0 {
			if s, ok := args[0].(engine.Spec); ok && s.Kind == engine.KindCron { // its index is random
				label = "engine: " + call + " cron"
				r.crons++
			} else if ok {
				label = fmt.Sprintf("engine: %s %s %s.%d", call, s.Kind, s.Type, s.Index)
			}
		}
		return r.visit(label)
	})
}

// A faultyProxy calls the rig before each of its methods.
type faultyProxy struct {
	*proxymemory.Proxy
	r *rig
}

var errProxyDown = errors.New("nginx does not answer")

func (p *faultyProxy) call(name string, do func() error) error {
	err := p.r.visit("proxy: " + name)
	if err != nil && !errors.Is(err, memory.ErrAnswerLost) {
		return err
	}
	if p.r.refuses() {
		return errProxyDown
	}
	return errors.Join(do(), err)
}

func (p *faultyProxy) Stage(ctx context.Context, r proxy.Route) error {
	return p.call("stage", func() error { return p.Proxy.Stage(ctx, r) })
}

func (p *faultyProxy) Publish(ctx context.Context, r proxy.Route) error {
	return p.call("publish", func() error { return p.Proxy.Publish(ctx, r) })
}

func (p *faultyProxy) Withdraw(ctx context.Context, app string) error {
	return p.call("withdraw", func() error { return p.Proxy.Withdraw(ctx, app) })
}

func (r *rig) refuses() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

// visit is called at every point: before each call of the engine and the proxy, and
// before each change of a file.
func (r *rig) visit(label string) error {
	if parallelCall.MatchString(label) {
		time.Sleep(time.Duration(hash(r.seed, label)%1000) * time.Microsecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watching && r.outage == nil {
		if err := r.serves(); err != nil {
			r.outage = fmt.Errorf("an outage before %q: %w", label, err)
		}
	}
	if r.watching && r.named != nil && r.outage == nil {
		r.outage = r.drains()
	}
	if r.dying {
		r.dead = true
	}
	if r.dead {
		return errDead
	}
	if r.over {
		if r.left--; r.left == 0 {
			return r.die(label)
		}
		return nil
	}
	r.seen[label]++
	key := fmt.Sprintf("%s #%d", label, r.seen[label])
	r.trace = append(r.trace, key)
	if key == r.at && !r.struck {
		r.struck = true
		return r.fault.strike(r, label)
	}
	return nil
}

// parallelCall matches calls that run in parallel.
var parallelCall = regexp.MustCompile(`^engine: (Start|Stop|Remove)`)

func hash(seed uint64, texts ...string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, seed)
	for _, t := range texts {
		fmt.Fprint(h, "\x00", t)
	}
	return h.Sum64()
}

// die cuts the power. A file that was about to be renamed keeps its temporary name.
func (r *rig) die(label string) error {
	r.dead = true
	if name, ok := strings.CutPrefix(label, "file: rename "); ok {
		r.eachFile(func(path string) {
			if strings.HasPrefix(filepath.Base(path), "."+name) {
				os.Link(path, path+"0") // its writer, still alive in this process, removes the other name
			}
		})
	}
	return errDead
}

func (r *rig) eachFile(f func(path string)) {
	filepath.WalkDir(r.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "objects" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			f(path)
		}
		return nil
	})
}

// holdLocks makes the locks look as a killed holder leaves them.
func (r *rig) holdLocks() {
	note, _ := json.Marshal(store.Holder{PID: 1, Step: "a test"})
	for _, name := range append(serviceLocks(), "shop", "store") {
		path := r.server.Env.Store.Own("locks", name)
		if _, err := os.Stat(path); err == nil {
			os.WriteFile(path, note, 0o600)
		}
	}
}

// serves returns an error unless a route is published and leads to running processes.
// It calls no hook.
func (r *rig) serves() error {
	ctx := context.Background()
	live, ok, _ := r.machine.proxy.Live(ctx, "shop")
	if other, renamed, _ := r.machine.proxy.Live(ctx, "store"); renamed {
		if ok {
			return fmt.Errorf("both names are published: %+v, %+v", live, other)
		}
		live, ok = other, true
	}
	if !ok || len(live.Upstreams) == 0 {
		return errors.New("nothing is published")
	}
	o, _ := r.engine.Clone().Observe(ctx, "")
	for _, u := range live.Upstreams {
		if !slices.ContainsFunc(o.Instances, func(i engine.Instance) bool { return i.Running() && i.Reach(int(u.Port())) == u }) {
			return fmt.Errorf("v%d is published at %s, where nothing runs", live.Release, u)
		}
	}
	return nil
}

// drains returns an error unless all containers that the proxy named within the last
// minute still run: they may be answering requests.
func (r *rig) drains() error {
	ctx := context.Background()
	var up []netip.AddrPort
	for _, app := range []string{"shop", "store"} {
		live, _, _ := r.machine.proxy.Live(ctx, app)
		up = append(up, live.Upstreams...)
	}
	o, _ := r.engine.Clone().Observe(ctx, "")
	running := map[string]bool{}
	for _, i := range o.Instances {
		running[i.ID] = i.Running()
		if slices.ContainsFunc(up, func(u netip.AddrPort) bool { return i.Reach(int(u.Port())) == u }) {
			r.named[i.ID] = time.Now()
		}
	}
	for id, at := range r.named {
		if since := time.Since(at); !running[id] && since < time.Minute {
			return fmt.Errorf("container %s has ended, which the proxy named %s before", id[:12], since)
		}
	}
	return nil
}

// only is the name of the only app; "" if it was destroyed.
func (r *rig) only() (string, error) {
	apps, err := r.server.Env.Store.Apps()
	if err != nil || len(apps) > 1 {
		return "", fmt.Errorf("the apps are %v (%w)", apps, err)
	}
	return strings.Join(apps, ""), nil
}

// gone returns an error if any resource of any app exists.
func (r *rig) gone() error {
	r.server.Env.Store.SweepRoot() // the agent's first act
	ctx := context.Background()
	apps, err := r.server.Env.Store.Apps()
	serr := errors.Join(r.settleServices(), r.servicesRest())
	o, oerr := r.observeApps()
	if err = errors.Join(err, serr, oerr); err != nil || len(apps)+len(o.Instances)+len(o.Networks)+len(o.Images) > 0 {
		return fmt.Errorf("left are the apps %v and %+v (%w)", apps, o, err)
	}
	for _, name := range []string{"shop", "store"} {
		if _, ok, err := r.proxy.Live(ctx, name); ok || err != nil {
			return fmt.Errorf("%s is still published (%w)", name, err)
		}
	}
	trash, _ := os.ReadDir(r.server.Env.Store.Own("trash"))
	if len(trash) > 0 {
		return fmt.Errorf("left in the trash: %v", trash)
	}
	return nil
}

// look is one look of the agent at the app.
func (r *rig) look(restore bool) error {
	app, err := r.only()
	if err != nil || app == "" {
		return err
	}
	_, done, err := r.server.TryReconcile(context.Background(), app, restore, event.Log{})
	if err == nil && !done {
		err = errors.New("the lock is held, or git has yet to decide")
	}
	if err == nil {
		err = r.settleServices()
	}
	if _, serr := os.Stat(r.server.Env.Store.File(app, store.CronDir)); serr == nil {
		r.lookCron(context.Background(), cronDue.Add(30*time.Second))
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.dead {
			err = errors.Join(err, errDead)
		}
	}
	return err
}

// asked returns the settings that an operation can change, as text.
func (r *rig) asked() (string, error) {
	app, err := r.only()
	if err != nil || app == "" {
		return "destroyed", err
	}
	a, err := r.server.Env.Store.Load(app)
	if err != nil {
		return "", err
	}
	st := a.State
	list := []any{a.Name, st.Config, st.Scale, st.ScaleNext, st.Domains, st.Stopped, st.ProxyDisabled, st.Ports, st.DeployBranch,
		st.Current, st.Destroying, st.Locked, st.Hooks, st.NoEvents, st.Links, r.askedServices()}
	if a.Current != nil {
		list = append(list, a.Current.Revision, a.Current.Config, a.Current.Port)
	}
	data, err := json.Marshal(list)
	return string(data), err
}

// rest returns an error unless the app is at rest and no interrupted operation left
// anything behind.
func (r *rig) rest() error {
	app, err := r.only()
	if err != nil {
		return err
	}
	if app == "" {
		return r.gone()
	}
	a, err := r.server.Env.Store.Load(app)
	if err != nil {
		return err
	}
	if a.Current == nil {
		return errors.Join(r.bare(app), r.clean(app))
	}
	if err := r.atRest(); err != nil {
		return err
	}
	if err := r.cronOnce(app); err != nil {
		return err
	}
	if p, err := r.server.Env.Store.Problem(app); p != nil || err != nil {
		return fmt.Errorf("a problem is recorded: %+v, %w", p, err)
	}
	if err := r.serves(); err != nil && !a.State.Stopped && !a.State.ProxyDisabled {
		return err
	}
	return r.clean(app)
}

// bare returns an error if an app that was never deployed has resources.
func (r *rig) bare(app string) error {
	ref, err := repo.Ref(r.server.Env.Store.Dir(app), "refs/heads/main")
	o, oerr := r.observeApps()
	numbers, nerr := r.server.Env.Store.ReleaseNumbers(app)
	if err = errors.Join(err, oerr, nerr); err != nil || ref != "" || len(o.Instances)+len(o.Networks)+len(o.Images)+len(numbers) > 0 {
		return fmt.Errorf("the ref is at %q, left are %+v, releases %v (%w)", ref, o, numbers, err)
	}
	return nil
}

// manyTries bounds the attempts to take a free lock. A process that another test is
// starting holds all open files for a moment.
const manyTries = 20000

// clean returns an error if a lock is held or a temporary file is left.
func (r *rig) clean(app string) (err error) {
	for _, name := range append(serviceLocks(), app, store.SettingsLock, store.DomainsLock) {
		l, free, lerr := r.server.Env.Store.TryLock(name, "a test")
		for n := 0; n < manyTries && !free; n++ {
			runtime.Gosched()
			l, free, lerr = r.server.Env.Store.TryLock(name, "a test")
		}
		if !free {
			return fmt.Errorf("the lock of %s is held (%w)", name, lerr)
		}
		if name == app && l.Abandoned {
			err = fmt.Errorf("the lock of %s looks abandoned", name)
		}
		l.Release()
	}
	r.eachFile(func(path string) {
		if temporary.MatchString(filepath.Base(path)) {
			err = fmt.Errorf("%s is left", path)
		}
	})
	return err
}

var temporary = regexp.MustCompile(`^\..*\.json[0-9]+$|^\.new-`)
