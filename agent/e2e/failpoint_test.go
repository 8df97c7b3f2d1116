package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dokku/agent/failpoint"
)

// failing are the tools with a build of the program that has failpoints.
var failing = sync.OnceValues(func() (*tools, error) {
	t, err := shared()
	if err != nil {
		return nil, err
	}
	f := *t
	f.binary = filepath.Join(t.dir, "failing", "dokku")
	return &f, goBuild(f.binary, ".", "-tags", "failpoints")
})

// The program that people install has no failpoints: the linker found nobody who
// calls them. The one of the tests has.
func TestNormalBuildHasNoFailpoints(t *testing.T) {
	t.Parallel()
	normal, err := shared()
	must(t, err)
	tagged, err := failing()
	must(t, err)
	for binary, want := range map[string]bool{normal.binary: false, tagged.binary: true} {
		symbols, err := exec.Command("go", "tool", "nm", binary).Output()
		must(t, err)
		if !strings.Contains(string(symbols), "dokku/agent.") {
			t.Fatalf("%s has no symbols", binary)
		}
		if has := strings.Contains(string(symbols), "dokku/agent/failpoint"); has != want {
			t.Errorf("%s has code of failpoints: %t", binary, has)
		}
	}
}

// Every failpoint that has a name stands somewhere in the program, and has a name
// of its own.
func TestEveryFailpointIsPlaced(t *testing.T) {
	placed, names := placedFailpoints(t), failpointNames(t)
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

// failpointNames are the constants of names.go.
func failpointNames(t *testing.T) map[string]failpoint.Name {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), root+"/agent/failpoint/names.go", nil, 0)
	must(t, err)
	names := map[string]failpoint.Name{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, ident := range v.Names {
			text, err := strconv.Unquote(v.Values[i].(*ast.BasicLit).Value)
			must(t, err)
			names[ident.Name] = failpoint.Name(text)
		}
		return true
	})
	if len(names) == 0 {
		t.Fatal("names.go has no constants")
	}
	return names
}

// placedFailpoints are the constants that a call of failpoint.Reach has, anywhere
// in the program.
func placedFailpoints(t *testing.T) map[string]bool {
	t.Helper()
	placed := map[string]bool{}
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
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

// selector is "a.B" for that expression, else "".
func selector(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// failpoints is the folder that the program looks into; see agent/failpoint.
func (l *lab) failpoints(elem ...string) string {
	return filepath.Join(append([]string{l.root, ".dokku", "failpoints"}, elem...)...)
}

// plan lets an action happen at a point; "" for none. It begins a new record of the
// points that are reached.
func (l *lab) plan(point, action string) {
	l.t.Helper()
	must(l.t, os.MkdirAll(l.failpoints(), 0o700))
	for _, name := range []string{"plan", "struck"} {
		os.Remove(l.failpoints(name))
	}
	must(l.t, os.WriteFile(l.failpoints("reached"), nil, 0o600))
	if action != "" {
		must(l.t, os.WriteFile(l.failpoints("plan.new"), fmt.Appendf(nil, "%s %s\n", point, action), 0o600))
		must(l.t, os.Rename(l.failpoints("plan.new"), l.failpoints("plan")))
	}
}

// release lets what is held go on, and plans nothing more.
func (l *lab) release() { os.Remove(l.failpoints("plan")) }

// struck reports whether the planned action has happened.
func (l *lab) struck() bool { return exists(l.failpoints("struck")) }

// reached are the points that were reached since plan, in their order, each once.
func (l *lab) reached() (points []string) {
	l.t.Helper()
	data, err := os.ReadFile(l.failpoints("reached"))
	must(l.t, err)
	for line := range strings.Lines(string(data)) {
		_, point, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	return points
}

// pointName is the part of "pre-receive/lock-taken#1" that says what was reached.
func pointName(point string) string {
	_, name, _ := strings.Cut(point, "/")
	return name[:strings.LastIndex(name, "#")]
}
