package agenttest

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	mutantsAll  = flag.Bool("mutants.all", false, "run the slow mutants of TestMutants too")
	mutantsOnly = flag.String("mutants.only", "", "run only the mutants of TestMutants whose names match")
)

// mutantsAtOnce are built and tested at the same time.
const mutantsAtOnce = 2

// A mutant breaks a promise, and names the test that has to notice.
type mutant struct {
	name string
	file string // from the root of the repository
	// old has to occur once in the file, and is replaced by new.
	old, new string
	pkg, run string   // the test's package, and a pattern for -run
	args     []string // of the test
	slow     bool     // only with -mutants.all
}

// TestMutants builds each mutant with an overlay, so that no file is touched, and
// fails when the test stays green: a promise without a test that goes red is not
// kept. A mutant that does not apply, or does not compile, has to be mended.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	slots, only, begun := make(chan struct{}, mutantsAtOnce), regexp.MustCompile(*mutantsOnly), time.Now()
	var ran, killed atomic.Int32
	t.Run("all", func(t *testing.T) {
		for _, m := range mutants {
			if m.slow && !*mutantsAll || !only.MatchString(m.name) {
				continue
			}
			ran.Add(1)
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				begun := time.Now()
				if err := m.killed(t, root); err != nil {
					t.Fatal(err)
				}
				killed.Add(1)
				t.Logf("killed in %s", time.Since(begun).Round(time.Second/10))
			})
		}
	})
	t.Logf("%d of %d mutants killed in %s", killed.Load(), ran.Load(), time.Since(begun).Round(time.Second))
}

// killed returns an error unless the mutant's test goes red.
func (m mutant) killed(t *testing.T, root string) error {
	dir := t.TempDir()
	overlay, err := m.overlay(dir, root)
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "mutant.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./"+m.pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return errors.New("it does not compile:\n" + string(out))
	}
	test := exec.CommandContext(t.Context(), binary, append([]string{"-test.run", m.run, "-test.short", "-test.timeout", "2m"}, m.args...)...)
	test.Dir = filepath.Join(root, m.pkg)
	out, err := test.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case err == nil && strings.Contains(string(out), "no tests to run"):
		return errors.New("there is no test " + m.run)
	case err == nil:
		return errors.New("it survived " + m.run)
	case !errors.As(err, &ended):
		return err
	case !red.Match(out):
		return errors.New("its test ended otherwise than by failing:\n" + string(out))
	}
	return nil
}

// red matches what a test prints that has failed, or did not come to its end.
var red = regexp.MustCompile(`(?m)^\s*--- FAIL|^panic: `)

// overlay writes what makes go build the mutant.
func (m mutant) overlay(dir, root string) (string, error) {
	path := filepath.Join(root, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", errors.New("it does not apply: its text has to occur once in " + m.file)
	}
	changed := filepath.Join(dir, filepath.Base(m.file))
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600),
		os.WriteFile(overlay, data, 0o600))
}
