package e2e

import (
	"flag"
	"testing"

	"dokku/agent/e2e/fault"
)

var (
	faultSeed  = flag.Uint64("faults.seed", 1, "which cells TestFaultMatrixReal runs, and how they recover")
	faultFull  = flag.Bool("faults.full", false, "run all cells of TestFaultMatrixReal, not one for each point")
	faultCells = flag.Int("faults.cells", 0, "run so many of all cells of TestFaultMatrixReal, chosen by the seed")
	faultFor   = flag.Duration("faults.for", 0, "let TestFaultMatrixReal begin no cell later than this")
	faultOnly  = flag.String("faults.only", "", "run only the cells of TestFaultMatrixReal whose names match")
)

// TestFaultMatrixReal strikes faults at the points of operations of the built program,
// with a real git, sshd, nginx and engine, and checks the result (see check). Every named
// point must be reached.
//
// It runs one cell for each named point and some for the counted ones. -faults.full runs
// all cells, -faults.cells=N a sample of them.
func TestFaultMatrixReal(t *testing.T) {
	t.Parallel()
	fault.NewMatrix(t, fault.Options{Seed: *faultSeed, Full: *faultFull, Cells: *faultCells, For: *faultFor, Only: *faultOnly}).Run(t)
}
