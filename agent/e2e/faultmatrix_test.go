package e2e

import (
	"flag"
	"testing"
	"time"
)

var (
	faultSeed  = flag.Uint64("faults.seed", 1, "which cells TestFaultMatrixReal runs, and who recovers")
	faultFull  = flag.Bool("faults.full", false, "run all cells of TestFaultMatrixReal, not one for each point")
	faultCells = flag.Int("faults.cells", 0, "run so many of all cells of TestFaultMatrixReal, chosen by the seed")
	faultFor   = flag.Duration("faults.for", 0, "let TestFaultMatrixReal begin no cell later than this")
	faultOnly  = flag.String("faults.only", "", "run only the cells of TestFaultMatrixReal whose names match")
)

// TestFaultMatrixReal lets faults strike at the points of operations of the built
// program, with a real git, sshd, nginx and engine, and checks what has to hold
// afterwards (see check). Every point that has a name must be reached.
//
// It runs one cell for each of those, and some for points that are only counted;
// -faults.full runs all, -faults.cells=N a sample of them.
func TestFaultMatrixReal(t *testing.T) {
	t.Parallel()
	x := newFaultMatrix(t)
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
				if *faultFor == 0 || time.Since(begun) < *faultFor {
					x.run(t, c)
				}
			})
		}
	})
	t.Logf("points: %d; cells run: %d, failed: %d, in %s", len(failpointNames(t)), x.ran, x.wrong, time.Since(begun).Round(time.Second))
	floor := faultFloor
	if *faultFull {
		floor = faultFullFloor
	}
	if *faultOnly == "" && *faultCells == 0 && *faultFor == 0 && x.ran < floor {
		t.Errorf("%d cells were run, there were %d once", x.ran, floor)
	}
}
