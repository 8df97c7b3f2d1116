package checks

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// corpus holds CHECKS files of public repositories; it is kept outside the
// repository because they are not ours to ship.
const (
	corpus = "../../../shared/corpus/checks"
	golden = "../../testdata/corpus.checks.golden"
)

func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus, "*__*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus %s is missing", corpus)
		}
		t.Logf("the corpus %s is missing: nothing was compared", corpus)
		return
	}
	var b strings.Builder
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, warnings, err := parseWith(src, Defaults())
		text := fileText(f, warnings)
		if err != nil {
			text = "error: " + err.Error()
		}
		fmt.Fprintf(&b, "%s\t%s\n", filepath.Base(file), strings.ReplaceAll(text, "\n", " / "))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", golden, b.String())
	}
}
