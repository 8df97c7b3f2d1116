package fault

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
)

const (
	// floor is the minimum number of cells of an ordinary run, fullFloor that of a full
	// one. Fewer mean that points go unseen.
	floor, fullFloor = 40, 4000
	// numberedCells is the number of unnamed points that an ordinary run strikes.
	numberedCells = 8
	// benches is the number of cells that run in parallel.
	benches = 4
)

// Options choose the cells.
type Options struct {
	Seed  uint64        // chooses the cells and their recoveries
	Full  bool          // all cells, not one for each point
	Cells int           // sample size; 0: depends on Full
	For   time.Duration // begin no cell later than this; 0: no limit
	Only  string        // only the cells whose names match
}

// A cell is an operation, a point and a fault.
type cell struct {
	op    operation
	point string
	fault fault
}

func (c cell) String() string {
	return fmt.Sprintf("%s / %s / %s", c.op.Name, c.point, c.fault.name)
}

// chance is a number that depends on the seed and a text.
func (o Options) chance(texts ...string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, o.Seed, strings.Join(texts, "\x00"))
	return h.Sum64()
}

// A bench is a server that runs one cell after the other.
type bench struct {
	*lab.Lab
	relay *relay
	app   *lab.App // what most operations work on; nil: none is at rest
}

// appFiles are the app of the matrix: two types, a check and a release command.
var appFiles = lab.Files{
	"Procfile": "web: /server\nworker: /server -port=\nrelease: /server -exit=0\n",
	"CHECKS":   "WAIT=3\nATTEMPTS=5\n/\n",
}

// A Matrix runs cells on its benches and counts them.
type Matrix struct {
	Options
	pool chan *bench

	mu         sync.Mutex
	points     map[string][]string // by operation
	ran, wrong int
}

// NewMatrix starts the servers on which the cells run.
func NewMatrix(t *testing.T, o Options) *Matrix {
	t.Helper()
	tools, err := Tools()
	lab.Must(t, err)
	x := &Matrix{Options: o, pool: make(chan *bench, benches), points: map[string][]string{}}
	for range benches {
		relay := newRelay(t, tools.Docker, t.TempDir())
		l := lab.NewOf(t, tools, map[string]any{"docker": "unix://" + relay.path,
			"checks": map[string]string{"default-wait": "0.2", "wait-to-retire": "0.3"}})
		x.pool <- &bench{Lab: l, relay: relay}
	}
	return x
}

// count counts a cell at its test's end.
func (x *Matrix) count(t *testing.T, struck bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if struck {
		x.ran++
	}
	if t.Failed() {
		x.wrong++
	}
}

// complete fails the test unless the operations have reached every point.
func (x *Matrix) complete(t *testing.T) {
	t.Helper()
	reached := map[string]bool{}
	for _, points := range x.points {
		for _, p := range points {
			reached[pointName(p)] = true
		}
	}
	for ident, name := range Names(t) {
		if !reached[string(name)] {
			t.Errorf("no operation comes to failpoint.%s", ident)
		}
	}
}

// all returns all cells.
func (x *Matrix) all() (cells []cell) {
	for _, op := range operations() {
		for _, point := range x.points[op.Name] {
			for _, f := range faults {
				if f.on(op, point) {
					cells = append(cells, cell{op, point, f})
				}
			}
		}
	}
	return cells
}

// chosen returns the cells of this run.
func (x *Matrix) chosen(t *testing.T) []cell {
	t.Helper()
	cells := x.all()
	if x.Only != "" {
		only, err := regexp.Compile(x.Only)
		lab.Must(t, err)
		cells = slices.DeleteFunc(cells, func(c cell) bool { return !only.MatchString(c.String()) })
	}
	t.Logf("there are %d cells", len(cells))
	slices.SortFunc(cells, func(c, d cell) int { return cmp.Compare(x.chance(c.String()), x.chance(d.String())) })
	if x.Cells > 0 {
		return cells[:min(x.Cells, len(cells))]
	}
	if x.Full || x.Only != "" {
		return cells
	}
	seen, counted := map[string]bool{}, 0
	return slices.DeleteFunc(cells, func(c cell) bool {
		if numbered(c.point) {
			counted++
			return counted > numberedCells
		}
		was := seen[pointName(c.point)]
		seen[pointName(c.point)] = true
		return was
	})
}

// take takes a bench until the test's end.
func (x *Matrix) take(t *testing.T) (*bench, *lab.App) {
	b := <-x.pool
	own := &bench{Lab: b.Lab.With(t), relay: b.relay}
	t.Cleanup(func() {
		if t.Failed() {
			b.app = nil
			own.relay.set(relayPass)
		}
		x.pool <- b
	})
	if b.app == nil || !lab.Exists(b.app.Dir()) {
		b.app = own.subject(nil)
	}
	return own, b.app.With(t)
}

// subject deploys an app. If push is not nil, push makes the first deploy later.
func (b *bench) subject(op *operation) *lab.App {
	b.T.Helper()
	b.points().Plan("", "")
	a := b.Lab.App(appFiles)
	if op == nil || !op.pushes() {
		a.Push(nil)
		a.Lab.Dokku("ps:scale", a.Name, "worker=1")
		restsNow(a)
	}
	return a
}

// recoveries are the ways to recover from a fault.
var recoveries = []string{"agent that runs", "agent that is started", "command", "push"}

// recovery chooses a possible recovery.
func (o Options) recovery(c cell) string {
	switch {
	case c.op.first(): // an app that nobody pushes to again is left alone for a minute
		return "push"
	case c.op.verb() == "apps:destroy":
		return recoveries[o.chance("recovery", c.String())%3]
	}
	return recoveries[o.chance("recovery", c.String())%4]
}

// run runs a cell. Without a fault it records the points.
func (x *Matrix) run(t *testing.T, c cell) {
	struck := false
	if c.point != "" {
		t.Cleanup(func() { x.count(t, struck) })
	}
	b, a := x.take(t)
	if c.op.own() {
		a = b.subject(&c.op)
		defer func() { a.Lab.Try("apps:destroy", a.Name, "--force") }()
	}
	if c.op.Before != "" {
		has(a, c.op.Before)
	}
	r := &cellRun{bench: b, app: a, cell: c, recovery: x.recovery(c), before: asked(a), first: a.Tip("main")}
	if r.recovery == "agent that runs" && c.point != "" {
		b.StartAgent()
	}
	if !c.op.own() && !c.fault.outage {
		r.versions, r.traffic = load.Watch(a), load.Ask(a, "/", 20)
	}
	b.points().Plan(c.point, c.fault.action)
	r.attempt = c.op.start(a)
	struck = r.strike()
	if c.point == "" {
		x.note(c.op, b.points().Reached())
	}
	r.recover()
	r.check()
}

// note records the points at which faults may strike.
func (x *Matrix) note(op operation, points []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range points {
		name := pointName(p)
		if name == "any" || name == "check-attempt" && !strings.HasSuffix(p, "#1") {
			continue // their number varies
		}
		x.points[op.Name] = append(x.points[op.Name], p)
	}
}

// Run runs the chosen cells as subtests. It fails the test if there are too few.
func (x *Matrix) Run(t *testing.T) {
	begun := time.Now()
	t.Run("undisturbed", func(t *testing.T) {
		for _, op := range operations() {
			t.Run(op.Name, func(t *testing.T) {
				t.Parallel()
				x.run(t, cell{op: op})
			})
		}
	})
	x.complete(t)
	cells := x.chosen(t)
	t.Run("cells", func(t *testing.T) {
		for _, c := range cells {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				if x.For == 0 || time.Since(begun) < x.For {
					x.run(t, c)
				}
			})
		}
	})
	t.Logf("points: %d; cells run: %d, failed: %d, in %s", len(Names(t)), x.ran, x.wrong, time.Since(begun).Round(time.Second))
	floor := floor
	if x.Full {
		floor = fullFloor
	}
	if x.Only == "" && x.Cells == 0 && x.For == 0 && x.ran < floor {
		t.Errorf("%d cells were run, there were %d once", x.ran, floor)
	}
}
