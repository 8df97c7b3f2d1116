package event

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLimitedFile (P5): a release command that prints 300 MB made a log of 70 MB. Output is
// left out from a limit on, and what the deploy itself says is not; a log that is continued
// counts what it has.
func TestLimitedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.log")
	file, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file.Limit(10_000, "to raise it: do so")
	log := New(file)
	for range 10_000 {
		log.Output("a line that a command prints")
	}
	log.Warn("the end")
	file.Close()
	read := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const left = " !     More output is left out here: this log has reached its limit of 10000 bytes; to raise it: do so\n"
	text := read()
	if n := len(text); n < 9_900 || n > 10_300 || strings.Count(text, left) != 1 || !strings.HasSuffix(text, " !     the end\n") {
		t.Errorf("%d bytes, which end with %q", n, text[max(0, n-300):])
	}
	if file, err = AppendFile(path); err != nil {
		t.Fatal(err)
	}
	file.Limit(10_000, "to raise it: do so")
	log = New(file)
	for range 100_000 {
		log.Output("more")
		log.Warn("a warning of many")
	}
	file.Close()
	if n := len(read()); n < 1<<20 || n > 10_000+1<<20+300 {
		t.Errorf("%d bytes", n)
	}
}
