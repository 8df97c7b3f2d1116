package machine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/agenttest"
	"dokku/agent/disk"
	"dokku/agent/disk/disktest"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proxy"
	proxymemory "dokku/agent/proxy/memory"
	"dokku/agent/store"
)

var (
	crashSeed = flag.Uint64("crash.seed", 1, "which states TestPowerLoss checks")
	crashFull = flag.Bool("crash.full", false, "check all states of TestPowerLoss, and more mixed ones")
	crashOnly = flag.String("crash.only", "", "check only the states of TestPowerLoss whose names match")
)

const (
	// crashSample: without -crash.full, one in this many states is checked. States
	// after the return of an operation are always checked.
	crashSample = 3
	// crashFloor and crashOps are 90 % of the states once checked and of the file
	// operations once recorded. Fewer mean that some go unseen.
	crashFloor, crashOps = 730, 450
)

// unrecorded matches files that may be lost: locks, which a loss of power frees, logs, the
// records of deploys, and the ids of containers for scripts.
var unrecorded = regexp.MustCompile(`^\.dokku/(locks|log)$|/deploys/[^/]+$|/\.?(?i:container)\.[^/]+$`)

// A cut is a moment at which the power may fail: after a number of operations on
// files, with the state of the engine and the proxy at that moment.
type cut struct {
	ops    int
	engine *memory.Engine
	routes []proxy.Route
	// done: the operation was reported as done.
	done bool
	next string // the next operation
}

// A take is a recorded operation.
type take struct {
	*disktest.Recording
	op   operation
	w    whole
	cuts []cut

	mu sync.Mutex
	m  *machine
}

// record performs an operation and the agent's work after it, and records all changes
// that a loss of power might undo.
func record(t *testing.T, base *machine, op operation) (*take, error) {
	r, err := newRig(t, base, *crashSeed, "", fault{})
	if err != nil {
		return nil, err
	}
	k := &take{op: op, m: r.machine}
	if k.w.before, err = r.asked(); err != nil {
		return nil, err
	}
	if k.Recording, err = disktest.Record(r.root, unrecorded.MatchString); err != nil {
		return nil, err
	}
	r.machine.visit = func(string) error { return nil }
	r.server.Env.Router, r.server.Env.Store.Fault = r.machine.proxy, nil
	r.server.Env.Store.Disk = disk.Disk{Watch: func(o disk.Op) { k.Watch(o); k.cut(fmt.Sprintf("what follows %s %s", o.Kind, o.Path)) }}
	r.engine.Fail(func(call string, _ ...any) error {
		if changing[call] {
			k.cut(call)
		}
		return nil
	})
	r.machine.proxy.Fail(func(call, _ string) error {
		if changing[call] {
			k.cut(call)
		}
		return nil
	})
	k.cut("anything")
	if err := op.do(r.machine); err != nil {
		return nil, err
	}
	k.reported()
	r.over = true
	for range 3 {
		if err := r.lookFree(false); err != nil {
			return nil, err
		}
	}
	if err := r.rest(); err != nil {
		return nil, err
	}
	k.cut("nothing")
	if k.w.after, err = r.asked(); err != nil {
		return nil, err
	}
	return k, k.Complete()
}

// changing are the calls that change the engine or the proxy.
var changing = map[string]bool{"Start": true, "Rename": true, "Stop": true, "Remove": true, "Network": true, "Tag": true, "RunAttached": true,
	"publish": true, "withdraw": true}

// cut notes that the power may fail now.
func (k *take) cut(next string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := cut{ops: len(k.Ops()), engine: k.m.engine.Clone(), next: next}
	if n := len(k.cuts); n > 0 {
		c.done = k.cuts[n-1].done
	}
	for _, app := range []string{"shop", "store"} {
		published := k.m.proxy.Clone()
		if r, ok, _ := published.Live(context.Background(), app); ok {
			c.routes = append(c.routes, r)
		}
	}
	k.cuts = append(k.cuts, c)
}

// reported notes that the caller knows that the operation is done.
func (k *take) reported() {
	k.cut("what the agent does later")
	k.mu.Lock()
	k.cuts[len(k.cuts)-1].done = true
	k.mu.Unlock()
}

// turnedOn returns a rig with the state that survived the loss of power.
func (c cut) turnedOn(t *testing.T, s disktest.State) (*rig, error) {
	m := &machine{t: t, engine: c.engine.Clone(), proxy: proxymemory.New()}
	var err error
	if m.root, err = os.MkdirTemp("/dev/shm", "dokku-test-"); err != nil {
		m.root = t.TempDir()
	}
	for _, r := range c.routes {
		if err := m.proxy.Publish(context.Background(), r); err != nil {
			return nil, err
		}
	}
	m.engine.Restart()
	r := &rig{machine: m, over: true}
	return r, s.Tree.Write(m.root)
}

// startUp performs the agent's work after the machine is turned on again.
func (r *rig) startUp() (changes int, err error) {
	r.turnOn()
	r.machine.visit = func(string) error { return nil }
	r.server.Env.Store.Fault = nil
	count := func(call string) error {
		if changing[call] {
			changes++
		}
		return nil
	}
	var mu sync.Mutex
	r.engine.Fail(func(call string, _ ...any) error { mu.Lock(); defer mu.Unlock(); return count(call) })
	r.machine.proxy.Fail(func(call, _ string) error { return count(call) })
	r.server.Env.Store.SweepRoot()
	r.aMinuteLater()
	for n := range 3 {
		if err := r.lookFree(n == 0); err != nil {
			return changes, fmt.Errorf("the agent's look %d: %w", n+1, err)
		}
	}
	r.server.Env.Store.SweepRoot() // removes the folder of a destroyed app
	return changes, nil
}

// lookFree is look, but waits for a lock that a process of another test holds.
func (r *rig) lookFree(restore bool) (err error) {
	for range manyTries {
		app, err := r.only()
		if err != nil || app == "" {
			return err
		}
		if _, done, err := r.server.TryReconcile(context.Background(), app, restore, event.Log{}); done || err != nil {
			return errors.Join(err, r.settleServices())
		}
		runtime.Gosched()
	}
	return errors.New("the lock is held")
}

// check turns a machine on twice with the surviving state. It returns an error unless
// everything is as it has to be and the second time changes nothing.
func (k *take) check(t *testing.T, c cut, s disktest.State) error {
	r, err := c.turnedOn(t, s)
	defer os.RemoveAll(r.root)
	if err != nil {
		return err
	}
	if _, err := r.startUp(); err != nil {
		return err
	}
	before, err := disktest.Read(r.root, unrecorded.MatchString)
	if err != nil {
		return err
	}
	changes, err := r.startUp()
	if err != nil {
		return fmt.Errorf("turned on again: %w", err)
	}
	after, err := disktest.Read(r.root, unrecorded.MatchString)
	if lines := disktest.Diff(before, after); err != nil || changes > 0 || len(lines) > 0 {
		return fmt.Errorf("turned on again, it makes %d changes: %v (%w)", changes, lines, err)
	}
	return errors.Join(k.outcome(r, c), r.halfMade(), r.connected())
}

// outcome returns an error unless the app is at rest and the operation is done. An
// operation that was not reported as done may also be undone, and a push that makes the app
// may have kept it.
func (k *take) outcome(r *rig, c cut) error {
	got, err := r.asked()
	switch {
	case err != nil:
		return err
	case c.done && got != k.w.after:
		return fmt.Errorf("it was reported done and is %s, want %s", got, k.w.after)
	case got != k.w.before && got != k.w.after && !r.kept() && !twoCommands.MatchString(k.op.Name):
		return fmt.Errorf("it is neither done nor undone: %s, before %s, done %s", got, k.w.before, k.w.after)
	}
	return r.rest()
}

// aMinuteLater ages the leftovers of a push.
func (r *rig) aMinuteLater() {
	then := time.Now().Add(-2 * store.ProvisionalAge)
	app, _ := r.only()
	if a, err := r.server.Env.Store.Load(app); err == nil && a.State.Provisional {
		os.Chtimes(r.server.Env.Store.File(app, "state.json"), then, then)
	}
}

// halfMade returns an error if there is a repository that is not an app.
func (r *rig) halfMade() error {
	heads, err := filepath.Glob(filepath.Join(r.root, "*", "HEAD"))
	for _, head := range heads {
		if _, serr := os.Stat(filepath.Join(filepath.Dir(head), "dokku", "state.json")); serr != nil {
			err = errors.Join(err, serr)
		}
	}
	return err
}

// connected returns an error unless git has all objects of all refs.
func (r *rig) connected() error {
	app, err := r.only()
	if err != nil || app == "" {
		return err
	}
	cmd := exec.Command("git", "-C", r.server.Env.Store.Dir(app), "rev-list", "--objects", "--quiet", "--all")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the repository lacks objects: %w: %s", err, out)
	}
	return nil
}

// TestPowerLoss cuts the power at each moment of each operation, and turns a machine
// on with each state that the disk may have kept (I7).
func TestPowerLoss(t *testing.T) {
	bases, h := crashBases(t)
	var mu sync.Mutex
	ops, checked, wrong := 0, 0, 0
	t.Run("operations", func(t *testing.T) {
		for _, op := range operations(context.Background(), h, agenttest.PowerLoss) {
			t.Run(op.Name, func(t *testing.T) {
				t.Parallel()
				k, err := record(t, bases[string(op.From)], op)
				if err != nil {
					t.Fatalf("undisturbed: %v", err)
				}
				n, bad := k.replay(t)
				mu.Lock()
				defer mu.Unlock()
				ops, checked, wrong = ops+len(k.Ops()), checked+n, wrong+bad
			})
		}
	})
	t.Logf("seed %d: %d operations on files recorded, %d states checked, %d failed", *crashSeed, ops, checked, wrong)
	floor := crashFloor
	if *crashFull {
		floor *= crashSample
	}
	if *crashOnly == "" && (checked < floor || ops < crashOps) {
		t.Errorf("%d states of %d operations, there were %d and %d once", checked, ops, floor, crashOps)
	}
}

// replay checks the states of one recording, each once.
func (k *take) replay(t *testing.T) (checked, wrong int) {
	only, mixed := regexp.MustCompile(*crashOnly), 3
	if *crashFull {
		mixed = 12
	}
	var failed []string
	for n, c := range k.cuts {
		for _, s := range k.States(c.ops, mixed, *crashSeed) {
			name := fmt.Sprintf("%s / %d, before %s / %s", k.op.Name, n, strings.ReplaceAll(c.next, k.m.root+"/", ""), s.Name)
			chosen := *crashFull || *crashOnly != "" || c.done || hash(*crashSeed, name)%crashSample == 0
			if !chosen || !only.MatchString(name) {
				continue
			}
			checked++
			if err := k.check(t, c, s); err != nil {
				wrong++
				failed = append(failed, fmt.Sprintf("%s:\n\t%s", name, strings.ReplaceAll(err.Error(), "\n", "\n\t")))
			}
		}
	}
	for n, text := range failed {
		if n < 5 {
			t.Errorf("%s", text)
		}
	}
	t.Logf("%d operations on files, %d moments, %d states checked, %d failed", len(k.Ops()), len(k.cuts), checked, wrong)
	return checked, wrong
}
