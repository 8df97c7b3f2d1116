package e2e

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
)

const (
	// faultFloor is how many cells an ordinary run has at least, faultFullFloor a
	// full one: fewer mean that points go unseen.
	faultFloor, faultFullFloor = 40, 4000
	// faultNumbered is how many of the points without a name an ordinary run strikes.
	faultNumbered = 8
	// benches is how many cells run at the same time.
	benches = 4
)

// options choose the cells.
type options struct {
	Seed  uint64        // chooses the cells, and who recovers
	Full  bool          // all cells, not one for each point
	Cells int           // so many of all cells; 0: as Full says
	For   time.Duration // begin no cell later than this; 0: no limit
	Only  string        // only the cells whose names match
}

// A faultCell is an operation, a point and a fault.
type faultCell struct {
	op    operation
	point string
	fault fault
}

func (c faultCell) String() string {
	return fmt.Sprintf("%s / %s / %s", c.op.name, c.point, c.fault.name)
}

// chance is a number that the seed chooses for a text.
func (o options) chance(texts ...string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, o.Seed, strings.Join(texts, "\x00"))
	return h.Sum64()
}

// A bench is a server on which one cell after the other runs.
type bench struct {
	*lab
	relay *engineRelay
	app   *app // what most operations work on; nil: none is at rest
}

// faultFiles are the app of the matrix: two types, a check and a release command.
var faultFiles = files{
	"Procfile": "web: /server\nworker: /server -port=\nrelease: /server -exit=0\n",
	"CHECKS":   "WAIT=3\nATTEMPTS=5\n/\n",
}

// A faultMatrix is where the cells run, and how they went.
type faultMatrix struct {
	options
	pool chan *bench

	mu         sync.Mutex
	points     map[string][]string // by operation
	ran, wrong int
}

func newFaultMatrix(t *testing.T, o options) *faultMatrix {
	t.Helper()
	tools, err := failing()
	must(t, err)
	x := &faultMatrix{options: o, pool: make(chan *bench, benches), points: map[string][]string{}}
	for range benches {
		relay := newEngineRelay(t, tools.docker, t.TempDir())
		l := newLabOf(t, tools, map[string]any{"docker": "unix://" + relay.path,
			"checks": map[string]string{"default-wait": "0.2", "wait-to-retire": "0.3"}})
		x.pool <- &bench{lab: l, relay: relay}
	}
	return x
}

// count counts a cell at its test's end.
func (x *faultMatrix) count(t *testing.T, struck bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if struck {
		x.ran++
	}
	if t.Failed() {
		x.wrong++
	}
}

// complete fails the test unless the operations have come to every point.
func (x *faultMatrix) complete(t *testing.T) {
	t.Helper()
	reached := map[string]bool{}
	for _, points := range x.points {
		for _, p := range points {
			reached[pointName(p)] = true
		}
	}
	for ident, name := range failpointNames(t) {
		if !reached[string(name)] {
			t.Errorf("no operation comes to failpoint.%s", ident)
		}
	}
}

// all are all cells.
func (x *faultMatrix) all() (cells []faultCell) {
	for _, op := range matrixOperations {
		for _, point := range x.points[op.name] {
			for _, f := range matrixFaults {
				if f.on(op, point) {
					cells = append(cells, faultCell{op, point, f})
				}
			}
		}
	}
	return cells
}

// chosen are the cells that run this time.
func (x *faultMatrix) chosen(t *testing.T) []faultCell {
	t.Helper()
	cells := x.all()
	if x.Only != "" {
		only, err := regexp.Compile(x.Only)
		must(t, err)
		cells = slices.DeleteFunc(cells, func(c faultCell) bool { return !only.MatchString(c.String()) })
	}
	t.Logf("there are %d cells", len(cells))
	slices.SortFunc(cells, func(c, d faultCell) int { return cmp.Compare(x.chance(c.String()), x.chance(d.String())) })
	if x.Cells > 0 {
		return cells[:min(x.Cells, len(cells))]
	}
	if x.Full || x.Only != "" {
		return cells
	}
	seen, counted := map[string]bool{}, 0
	return slices.DeleteFunc(cells, func(c faultCell) bool {
		if numbered(c.point) {
			counted++
			return counted > faultNumbered
		}
		was := seen[pointName(c.point)]
		seen[pointName(c.point)] = true
		return was
	})
}

// take returns a bench, and gives it back at the test's end.
func (x *faultMatrix) take(t *testing.T) (*bench, *app) {
	b := <-x.pool
	own := &bench{lab: b.lab.with(t), relay: b.relay}
	t.Cleanup(func() {
		if t.Failed() {
			b.app = nil
			own.relay.set(relayPass)
		}
		x.pool <- b
	})
	if b.app == nil || !exists(b.app.dir()) {
		b.app = own.subject(nil)
	}
	return own, b.app.with(t)
}

// subject deploys an app; push, if it is not nil, does so some time later.
func (b *bench) subject(op *operation) *app {
	b.t.Helper()
	b.plan("", "")
	a := b.lab.app(faultFiles)
	if op == nil || !op.push {
		a.push(nil)
		a.dokku("ps:scale", a.name, "worker=1")
		a.restsNow()
	}
	return a
}

// recoveries are who finds what a fault has left.
var recoveries = []string{"agent that runs", "agent that is started", "command", "push"}

// recovery chooses one that can do it.
func (o options) recovery(c faultCell) string {
	switch {
	case c.op.name == "first push": // an app that nobody pushes to again is left alone for a minute
		return "push"
	case c.op.name == "apps:destroy":
		return recoveries[o.chance("recovery", c.String())%3]
	}
	return recoveries[o.chance("recovery", c.String())%4]
}

// run runs a cell; without a fault it notes the points.
func (x *faultMatrix) run(t *testing.T, c faultCell) {
	struck := false
	if c.point != "" {
		t.Cleanup(func() { x.count(t, struck) })
	}
	b, a := x.take(t)
	if c.op.own {
		a = b.subject(&c.op)
		defer func() { a.try("apps:destroy", a.name, "--force") }()
	}
	if c.op.prepare != nil {
		c.op.prepare(a)
	}
	r := &cellRun{bench: b, app: a, cell: c, recovery: x.recovery(c), before: a.asked(), first: a.tip("main")}
	if r.recovery == "agent that runs" && c.point != "" {
		b.startAgent()
	}
	if !c.op.quiet && !c.fault.outage {
		r.versions, r.traffic = a.watch(), a.traffic("/", 20)
	}
	b.plan(c.point, c.fault.action)
	r.attempt = c.op.start(a)
	struck = r.strike()
	if c.point == "" {
		x.note(c.op, b.reached())
	}
	r.recover()
	r.check()
}

// note keeps the points at which faults may strike.
func (x *faultMatrix) note(op operation, points []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range points {
		name := pointName(p)
		if name == "any" || name == "check-attempt" && !strings.HasSuffix(p, "#1") {
			continue // how many there are is chance
		}
		x.points[op.name] = append(x.points[op.name], p)
	}
}

// runAll runs the chosen cells as subtests. It fails the test when fewer run than once did.
func (x *faultMatrix) runAll(t *testing.T) {
	begun := time.Now()
	t.Run("undisturbed", func(t *testing.T) {
		for _, op := range matrixOperations {
			t.Run(op.name, func(t *testing.T) {
				t.Parallel()
				x.run(t, faultCell{op: op})
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
	t.Logf("points: %d; cells run: %d, failed: %d, in %s", len(failpointNames(t)), x.ran, x.wrong, time.Since(begun).Round(time.Second))
	floor := faultFloor
	if x.Full {
		floor = faultFullFloor
	}
	if x.Only == "" && x.Cells == 0 && x.For == 0 && x.ran < floor {
		t.Errorf("%d cells were run, there were %d once", x.ran, floor)
	}
}
