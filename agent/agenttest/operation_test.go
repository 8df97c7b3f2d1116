package agenttest

import (
	"slices"
	"strings"
	"testing"
)

func TestOperations(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range operations {
		if seen[o.Name] || o.In == 0 || len(o.Lines) == 0 || o.From == "" {
			t.Errorf("%q is incomplete, or there twice: %+v", o.Name, o)
		}
		seen[o.Name] = true
		if o.In&RealMatrix != 0 && o.Real == "" && len(o.Lines) != 1 {
			t.Errorf("%q: the real machine runs one line", o.Name)
		}
		if (o.In&Killed != 0) != (o.Changes > 0) {
			t.Errorf("%q has %d changes", o.Name, o.Changes)
		}
	}
	if n, m := len(Operations(Killed)), len(Operations(Matrix)); n != 47 || m != 67 {
		t.Errorf("%d operations are killed, %d in the matrix", n, m)
	}
	if n, m := len(Operations(PowerLoss)), len(Operations(RealMatrix)); n != 62 || m != 9 {
		t.Errorf("%d operations lose power, %d run on the real machine", n, m)
	}
}

func TestWords(t *testing.T) {
	got := Words("apps:rename APP NEW VALUE", "a", "b", "7")
	if want := strings.Fields("apps:rename a b 7"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
