package agenttest

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	mutantsAll  = flag.Bool("mutants.all", false, "run all mutants of TestMutants")
	mutantsTurn = flag.Int("mutants.turn", 0, "which quarter of the mutants that are not slow TestMutants runs: each takes seconds to build")
	mutantsOnly = flag.String("mutants.only", "", "run only the mutants of TestMutants whose names match")
)

// mutantsAtOnce is the number of mutants that are built and tested in parallel.
const mutantsAtOnce = 2

// A mutant breaks a promise, and names the test that has to fail.
type mutant struct {
	name string
	// old occurs once in all Go files of the product, and is replaced by new.
	old, new string
	// test is the test's name. It is in the one package that has the test and the flags of args.
	test string
	args []string
	slow bool // only with -mutants.all
}

// root is the root of the repository.
const root = "../.."

// TestMutants builds each mutant with an overlay, which touches no file, and fails if the
// mutant's test passes: a promise without a test is not kept. Fix a mutant that does not
// apply or does not compile.
func TestMutants(t *testing.T) {
	slots, only, begun := make(chan struct{}, mutantsAtOnce), regexp.MustCompile(*mutantsOnly), time.Now()
	var ran, killed atomic.Int32
	t.Run("all", func(t *testing.T) {
		for n, m := range mutants {
			if !only.MatchString(m.name) || *mutantsOnly == "" && !*mutantsAll && (m.slow || n%4 != *mutantsTurn%4) {
				continue
			}
			ran.Add(1)
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				begun := time.Now()
				if err := m.killed(t); err != nil {
					t.Fatal(err)
				}
				killed.Add(1)
				t.Logf("killed in %s", time.Since(begun).Round(time.Second/10))
			})
		}
	})
	t.Logf("%d of %d mutants killed in %s", killed.Load(), ran.Load(), time.Since(begun).Round(time.Second))
}

// TestEveryMutantApplies finds the text and the test of every mutant, the slow ones
// too.
func TestEveryMutantApplies(t *testing.T) {
	for _, m := range mutants {
		_, _, err := m.find()
		_, terr := m.pkg()
		if err := errors.Join(err, terr); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// killed returns an error unless the mutant's test goes red.
func (m mutant) killed(t *testing.T) error {
	dir := t.TempDir()
	overlay, err := m.overlay(dir)
	pkg, perr := m.pkg()
	if err := errors.Join(err, perr); err != nil {
		return err
	}
	binary := filepath.Join(dir, "mutant.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, ".")
	build.Dir = pkg
	if out, err := build.CombinedOutput(); err != nil {
		return errors.New("it does not compile:\n" + string(out))
	}
	test := exec.CommandContext(t.Context(), binary, append([]string{"-test.run", "^" + m.test + "$", "-test.short", "-test.timeout", "2m"}, m.args...)...)
	test.Dir = pkg
	test.WaitDelay = time.Second // what the test has started and not ended may keep its output open
	out, err := test.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case err == nil && strings.Contains(string(out), "no tests to run"):
		return errors.New("there is no test " + m.test)
	case err == nil:
		return errors.New("it survived " + m.test)
	case !errors.As(err, &ended):
		return err
	case !red.Match(out):
		return errors.New("its test ended otherwise than by failing:\n" + string(out))
	}
	return nil
}

// red matches the output of a test that failed or panicked.
var red = regexp.MustCompile(`(?m)^\s*--- FAIL|^panic: `)

// overlay writes the overlay file for go build.
func (m mutant) overlay(dir string) (string, error) {
	path, source, err := m.find()
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	changed := filepath.Join(dir, filepath.Base(path))
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(os.WriteFile(changed, []byte(strings.Replace(source, m.old, m.new, 1)), 0o600),
		os.WriteFile(overlay, data, 0o600))
}

// find returns the one file of the product that has the mutant's text. It searches the
// whole module, so that a file may move.
func (m mutant) find() (path, source string, err error) {
	count := 0
	err = eachSource(func(p, text string) {
		if n := strings.Count(text, m.old); n > 0 && !strings.HasSuffix(p, "_test.go") {
			count += n
			path, source = p, text
		}
	})
	if err == nil && count != 1 {
		err = fmt.Errorf("it does not apply: its text has to occur once, and occurs %d times", count)
	}
	return path, source, err
}

// pkg returns the folder of the one package that has the mutant's test and its flags.
func (m mutant) pkg() (string, error) {
	wanted := []string{"func " + m.test + "(t *testing.T)"}
	for _, arg := range m.args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		wanted = append(wanted, `("`+name+`"`)
	}
	tests := map[string]string{} // all test files of a folder
	err := eachSource(func(p, text string) {
		if strings.HasSuffix(p, "_test.go") {
			tests[filepath.Dir(p)] += text
		}
	})
	var found []string
	for dir, text := range tests {
		if !slices.ContainsFunc(wanted, func(w string) bool { return !strings.Contains(text, w) }) {
			found = append(found, dir)
		}
	}
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("its test %s has to be in one package, and is in %q", m.test, found)
	}
	return strings.Join(found, ""), err
}

// eachSource calls f with every Go file of the module, except sample programs, these
// mutants, and the end-to-end tests with their machinery, which need more than a mutant's
// test may use.
func eachSource(f func(path, text string)) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"testdata", "agenttest", "lab", "fault", "load", ".git"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || filepath.Base(filepath.Dir(path)) == "e2e":
			return nil
		}
		text, err := os.ReadFile(path)
		f(path, string(text))
		return err
	})
}
