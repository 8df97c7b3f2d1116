package fault

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/agent/failpoint"
)

// Tools are the tools with a build of the program that has failpoints.
var Tools = sync.OnceValues(func() (*lab.Tools, error) {
	t, err := lab.Shared()
	if err != nil {
		return nil, err
	}
	f := *t
	f.Binary = filepath.Join(t.Dir, "failing", "dokku")
	return &f, lab.GoBuild(f.Binary, ".", "-tags", "failpoints")
})

// Names are the constants of agent/failpoint, by their identifier.
func Names(t *testing.T) map[string]failpoint.Name {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(lab.Root(), "agent", "failpoint", "names.go"), nil, 0)
	lab.Must(t, err)
	names := map[string]failpoint.Name{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, ident := range v.Names {
			text, err := strconv.Unquote(v.Values[i].(*ast.BasicLit).Value)
			lab.Must(t, err)
			names[ident.Name] = failpoint.Name(text)
		}
		return true
	})
	if len(names) == 0 {
		t.Fatal("names.go has no constants")
	}
	return names
}

// failpoints is the folder that the program looks into; see agent/failpoint.
func (b *bench) failpoints(elem ...string) string {
	return filepath.Join(append([]string{b.Root, ".dokku", "failpoints"}, elem...)...)
}

// plan sets the action at a point, or none for "". It starts a new record of reached
// points.
func (b *bench) plan(point, action string) {
	b.T.Helper()
	lab.Must(b.T, os.MkdirAll(b.failpoints(), 0o700))
	for _, name := range []string{"plan", "struck"} {
		os.Remove(b.failpoints(name))
	}
	lab.Must(b.T, os.WriteFile(b.failpoints("reached"), nil, 0o600))
	if action != "" {
		lab.Must(b.T, os.WriteFile(b.failpoints("plan.new"), fmt.Appendf(nil, "%s %s\n", point, action), 0o600))
		lab.Must(b.T, os.Rename(b.failpoints("plan.new"), b.failpoints("plan")))
	}
}

// release lets held processes continue and clears the plan.
func (b *bench) release() { os.Remove(b.failpoints("plan")) }

// struck reports whether the planned action has happened.
func (b *bench) struck() bool { return lab.Exists(b.failpoints("struck")) }

// reached lists the points that were reached since plan, in order, each once.
func (b *bench) reached() (points []string) {
	b.T.Helper()
	data, err := os.ReadFile(b.failpoints("reached"))
	lab.Must(b.T, err)
	for line := range strings.Lines(string(data)) {
		_, point, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	return points
}

// pointName is the name in a point: "lock-taken" in "pre-receive/lock-taken#1".
func pointName(point string) string {
	_, name, _ := strings.Cut(point, "/")
	return name[:strings.LastIndex(name, "#")]
}
