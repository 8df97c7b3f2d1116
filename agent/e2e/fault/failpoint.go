package fault

import (
	"errors"
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

// Points plans what happens at the failpoints of a lab whose Tools are those of this package.
type Points struct{ *lab.Lab }

// failpoints is the folder that the program looks into; see agent/failpoint.
func (p Points) failpoints(elem ...string) string {
	return filepath.Join(append([]string{p.Root, ".dokku", "failpoints"}, elem...)...)
}

// Plan sets the action at a point, or none for "". It starts a new record of reached
// points.
func (p Points) Plan(point, action string) {
	p.T.Helper()
	lab.Must(p.T, os.MkdirAll(p.failpoints(), 0o700))
	for _, name := range []string{"plan", "struck"} {
		os.Remove(p.failpoints(name))
	}
	lab.Must(p.T, os.WriteFile(p.failpoints("reached"), nil, 0o600))
	if action != "" {
		lab.Must(p.T, os.WriteFile(p.failpoints("plan.new"), fmt.Appendf(nil, "%s %s\n", point, action), 0o600))
		lab.Must(p.T, os.Rename(p.failpoints("plan.new"), p.failpoints("plan")))
	}
}

// Release lets held processes continue and clears the plan.
func (p Points) Release() { os.Remove(p.failpoints("plan")) }

// Struck reports whether the planned action has happened.
func (p Points) Struck() bool { return lab.Exists(p.failpoints("struck")) }

// Reached lists the points that were reached since Plan, in order, each once.
func (p Points) Reached() (points []string) {
	p.T.Helper()
	data, err := os.ReadFile(p.failpoints("reached"))
	lab.Must(p.T, err)
	for line := range strings.Lines(string(data)) {
		_, point, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	return points
}

func (b *bench) points() Points { return Points{b.Lab} }

// PushEnded returns an error while a process of a push is left, or one of the app's locks is
// held or was left by a killed holder.
func PushEnded(a *lab.App) error { return errors.Join(busy(a), unlocked(a)) }

// pointName is the name in a point: "lock-taken" in "pre-receive/lock-taken#1".
func pointName(point string) string {
	_, name, _ := strings.Cut(point, "/")
	return name[:strings.LastIndex(name, "#")]
}
