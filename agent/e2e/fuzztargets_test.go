package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestFuzzTargets: install.sh test tries every fuzz target of the repository.
func TestFuzzTargets(t *testing.T) {
	t.Parallel()
	functions := installFunctions(t)
	cmd := exec.Command("sh", "-c", functions+"\nfuzz_targets", filepath.Join(lab.Root(), "install.sh"))
	cmd.Dir = lab.Root()
	out, err := cmd.Output()
	lab.Must(t, err)
	tried := strings.Split(strings.TrimSpace(string(out)), "\n")
	var want []string
	lab.Must(t, filepath.WalkDir(lab.Root(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		lab.Must(t, err)
		folder, err := filepath.Rel(lab.Root(), filepath.Dir(path))
		lab.Must(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") {
				want = append(want, "./"+folder+" "+f.Name.Name)
			}
		}
		return nil
	}))
	slices.Sort(want)
	slices.Sort(tried)
	if !slices.Equal(tried, want) || len(want) < 30 {
		t.Errorf("install.sh tries\n%s\nand the repository has\n%s", strings.Join(tried, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(functions, "10 s each\"\n  fuzz || failed=yes\n") {
		t.Error("install.sh test runs no fuzz target")
	}
}
