package machine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/event"
)

var (
	matrixSeed = flag.Uint64("matrix.seed", 1, "which cells TestFaultMatrix runs, and in which order calls are made that are made at the same time")
	matrixFull = flag.Bool("matrix.full", false, "run all cells of TestFaultMatrix, not one of matrixSample")
	matrixOnly = flag.String("matrix.only", "", "run only the cells of TestFaultMatrix whose names match")
)

const (
	// matrixSample: without -matrix.full, one in this many cells runs, chosen by the
	// seed. All cells take too long for every run of the tests.
	matrixSample = 8
	// matrixFloor is the minimum number of cells in a sample. Fewer mean that points go
	// unseen.
	matrixFloor = 850
)

// tells matches an error that says that something has changed nevertheless.
var tells = regexp.MustCompile(`the agent will retry|a power loss may bring back|is called store now|may have been loaded`)

// twoCommands matches operations of two commands, of which one may fail.
var twoCommands = regexp.MustCompile(` and | one after the other|without the proxy|of a stopped app`)

const appsDestroy = "apps:destroy"

// A cell of the matrix is an operation, a point and a fault.
type cell struct {
	op    operation
	at    string
	fault fault
}

func (c cell) String() string { return fmt.Sprintf("%s / %s / %s", c.op.Name, c.at, c.fault.name) }

// whole holds the settings before and after an undisturbed operation.
type whole struct{ before, after string }

// undisturbed runs an operation without a fault, and returns its points.
func undisturbed(t *testing.T, base *machine, h history, n int) (points []string, w whole, err error) {
	synctest.Test(t, func(t *testing.T) {
		r, rerr := newRig(t, base, *matrixSeed, "", fault{})
		if err = rerr; err != nil {
			return
		}
		w.before, err = r.asked()
		op := operations(context.Background(), h, agenttest.Matrix)[n]
		err = errors.Join(err, op.do(r.machine))
		points, r.over = slices.Clone(r.trace), true
		err = errors.Join(err, recovers(r, h))
		var aerr error
		w.after, aerr = r.asked()
		err = errors.Join(err, aerr)
	})
	return points, w, err
}

// run runs a cell. struck is false if the operation did not reach the point.
func (c cell) run(t *testing.T, base *machine, h history, n int, w whole) (struck bool, err error) {
	synctest.Test(t, func(t *testing.T) {
		r, rerr := newRig(t, base, *matrixSeed, c.at, c.fault)
		if err = rerr; err != nil {
			return
		}
		// A call that would hang for ever takes an hour of the bubble's time.
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		r.cancel = cancel
		r.watching = !c.op.Away && !c.fault.away
		if c.fault.retires {
			r.named = map[string]time.Time{}
		}
		failed := operations(ctx, h, agenttest.Matrix)[n].do(r.machine)
		r.over, struck = true, r.struck
		if c.fault.kills {
			if !strings.HasPrefix(c.at, "move") {
				r.holdLocks()
			}
			r.on()
			r.server.Env.Store.SweepRoot() // the agent's first act
		}
		if err = c.fault.recover(r, h); err == nil {
			err = r.outage
		}
		if err == nil {
			err = c.outcome(r, w, failed)
		}
		if err != nil {
			err = fmt.Errorf("%w (the operation itself: %v)", err, failed)
		}
	})
	return struck, err
}

// outcome returns an error unless the operation is done or has changed nothing, and its
// result says which.
func (c cell) outcome(r *rig, w whole, failed error) error {
	two := twoCommands.MatchString(c.op.Name)
	if strings.Contains(c.fault.name, ", then ") {
		return nil
	}
	got, err := r.asked()
	switch {
	case err != nil:
		return err
	case !c.fault.kills && failed == nil && got != w.after:
		return fmt.Errorf("it was reported done and is %s, want %s", got, w.after)
	case two: // the first may be done and the second not
	case c.fault.kills && got != w.before && got != w.after:
		return fmt.Errorf("it is neither done nor undone: %s, before %s, done %s", got, w.before, w.after)
	case !c.fault.kills && failed != nil && got != w.before && (errors.Is(failed, context.Canceled) || !tells.MatchString(failed.Error())):
		return fmt.Errorf("it failed, is %s, was %s, and does not say so", got, w.before)
	}
	return nil
}

// A matrix holds the machines that the cells start from, and the results.
type matrix struct {
	h history
	// deployed has a deployed app. retiring has one whose processes take a minute to
	// retire. fresh has one without a push, none has no app.
	// served has a deployed app, and services.
	deployed, retiring, fresh, none, served, servedRetiring, clustered, clusteredRetiring *machine

	mu         sync.Mutex
	ran, wrong int
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	h := newHistory(t)
	x := &matrix{h: h, deployed: newMachine(t, h), retiring: newMachine(t, h), fresh: newMachine(t, h), none: newMachine(t, h), served: newBase(t, h, agenttest.Served),
		servedRetiring: newBase(t, h, agenttest.Served), clustered: newBase(t, h, agenttest.Clustered), clusteredRetiring: newBase(t, h, agenttest.Clustered)}
	retire := func(s *app.Settings) error { s.Checks["wait-to-retire"] = "60"; return nil }
	if err := errors.Join(x.retiring.server.Env.Store.UpdateSettings(t.Context(), retire), x.servedRetiring.server.Env.Store.UpdateSettings(t.Context(), retire),
		x.clusteredRetiring.server.Env.Store.UpdateSettings(t.Context(), retire),
		x.fresh.server.Destroy(t.Context(), "shop", event.Log{}), x.fresh.server.Create(t.Context(), "shop", false),
		x.none.server.Destroy(t.Context(), "shop", event.Log{})); err != nil {
		t.Fatal(err)
	}
	h.fetch(t, x.fresh.server.Env.Store.Dir("shop"))
	x.none.packs = map[string]pack{h.one: newPack(t, h, h.one), h.two: newPack(t, h, h.two, h.one)}
	return x
}

// base is the machine from which an operation starts.
func (x *matrix) base(op operation, f fault) *machine {
	switch {
	case op.From == agenttest.Fresh:
		return x.fresh
	case op.From == agenttest.None:
		return x.none
	case op.From == agenttest.Clustered && f.retires:
		return x.clusteredRetiring
	case op.From == agenttest.Clustered:
		return x.clustered
	case op.From == agenttest.Served && f.retires:
		return x.servedRetiring
	case op.From == agenttest.Served:
		return x.served
	case f.retires:
		return x.retiring
	}
	return x.deployed
}

// TestFaultMatrix lets each fault strike at each point of each operation, and checks
// the server's state after the agent has recovered.
func TestFaultMatrix(t *testing.T) {
	x := newMatrix(t)
	t.Run("operations", func(t *testing.T) {
		for n, op := range operations(t.Context(), x.h, agenttest.Matrix) {
			t.Run(op.Name, func(t *testing.T) {
				t.Parallel()
				x.row(t, n, op)
			})
		}
	})
	t.Logf("cells run: %d, failed: %d", x.ran, x.wrong)
	floor := matrixFloor
	if *matrixFull {
		floor *= matrixSample
	}
	if *matrixOnly == "" && x.ran < floor {
		t.Errorf("%d cells were run, there were %d once", x.ran, floor)
	}
}

// row runs the cells of one operation, and reports cells with the same failure together.
func (x *matrix) row(t *testing.T, n int, op operation) {
	points, w, err := undisturbed(t, x.base(op, fault{}), x.h, n)
	if err != nil {
		t.Fatalf("undisturbed: %v", err)
	}
	ran, wrong, failed := 0, 0, map[string][]string{}
	for _, c := range sample(op, points) {
		struck, err := c.run(t, x.base(op, c.fault), x.h, n, w)
		if struck {
			ran++
		}
		if err != nil {
			wrong++
			failed[err.Error()] = append(failed[err.Error()], c.String())
		}
	}
	for _, text := range slices.Sorted(maps.Keys(failed)) {
		t.Errorf("%s:\n\t%s", strings.Join(failed[text], "\n"), text)
	}
	t.Logf("cells run: %d, failed: %d (of %d points)", ran, wrong, len(points))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ran, x.wrong = x.ran+ran, x.wrong+wrong
}

// sample returns the cells of an operation that run this time.
func sample(op operation, points []string) (cells []cell) {
	only := regexp.MustCompile(*matrixOnly)
	for _, at := range points {
		for _, f := range faults {
			c := cell{op, at, f}
			chosen := *matrixFull || *matrixOnly != "" || hash(*matrixSeed, c.String())%matrixSample == 0
			if op.Name == appsDestroy && strings.Contains(f.name, ", then ") && !strings.HasSuffix(f.name, appsDestroy) {
				continue // an app that is being destroyed refuses all commands
			}
			if f.deploys && !deploying.MatchString(op.Name) {
				continue
			}
			if f.at.MatchString(at) && chosen && only.MatchString(c.String()) {
				cells = append(cells, c)
			}
		}
	}
	return cells
}

// copyTree copies a root. Files that git never changes are shared.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		dst := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(dst, 0o700)
		case d.Type() == fs.ModeSymlink:
			link, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(link, dst))
		case strings.Contains(rel, "/objects/"):
			return os.Link(path, dst)
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(dst, data, 0o600))
	})
}
