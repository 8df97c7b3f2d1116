package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/fault"
	"dokku/agent/e2e/lab"
	"dokku/agent/failpoint"
)

// TestNormalBuildHasNoFailpoints: the released program has no failpoints, because the linker found no
// caller. The program of the tests has them.
func TestNormalBuildHasNoFailpoints(t *testing.T) {
	t.Parallel()
	normal, err := lab.Shared()
	lab.Must(t, err)
	tagged, err := fault.Tools()
	lab.Must(t, err)
	for binary, want := range map[string]bool{normal.Binary: false, tagged.Binary: true} {
		symbols, err := exec.Command("go", "tool", "nm", binary).Output()
		lab.Must(t, err)
		if !strings.Contains(string(symbols), "dokku/agent.") {
			t.Fatalf("%s has no symbols", binary)
		}
		if has := strings.Contains(string(symbols), "dokku/agent/failpoint"); has != want {
			t.Errorf("%s has code of failpoints: %t", binary, has)
		}
	}
}

// TestEveryFailpointIsPlaced: every named failpoint is placed in the program, with a unique name.
func TestEveryFailpointIsPlaced(t *testing.T) {
	placed, names := placedFailpoints(t), fault.Names(t)
	seen := map[failpoint.Name]string{}
	for ident, name := range names {
		if !placed[ident] {
			t.Errorf("failpoint.%s (%q) is placed nowhere", ident, name)
		}
		if other, twice := seen[name]; twice {
			t.Errorf("%s and %s are both %q", other, ident, name)
		}
		seen[name] = ident
	}
	for ident := range placed {
		if _, known := names[ident]; !known {
			t.Errorf("failpoint.%s is reached, and is no constant of names.go", ident)
		}
	}
}

// placedFailpoints are the constants in the program's calls of failpoint.Reach.
func placedFailpoints(t *testing.T) map[string]bool {
	t.Helper()
	placed := map[string]bool{}
	lab.Must(t, filepath.WalkDir(lab.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 || selector(call.Fun) != "failpoint.Reach" {
				return true
			}
			name, _ := strings.CutPrefix(selector(call.Args[0]), "failpoint.")
			if placed[name] = true; name == "" {
				t.Errorf("%s calls failpoint.Reach without a constant", path)
			}
			return true
		})
		return nil
	}))
	return placed
}

// selector returns "a.B" for such an expression, else "".
func selector(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}
