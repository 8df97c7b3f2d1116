package command

import (
	"os"
	"strings"
	"testing"
)

// TestNoFlagOfDokkuIsUnknown: a flag of a command of Dokku is taken, or its refusal says what
// one does here instead. testdata/flags.txt says which.
func TestNoFlagOfDokkuIsUnknown(t *testing.T) {
	data, err := os.ReadFile("../../testdata/flags.txt")
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if words[0] == "#" {
			continue
		}
		command, gone := strings.CutPrefix(words[0], "!")
		for _, word := range words[1:] {
			flag, refused := strings.CutPrefix(word, "!")
			given := flag
			if strings.HasPrefix(flag, "--") {
				given += "=1" // a switch and a value
			}
			got := f.run(command, given, "nosuch", "a", "b")
			named := strings.Contains(got.stderr, "Dokku has it; here: ")
			switch {
			case (gone || refused) != named:
				t.Errorf("%s %s: %s", command, flag, got.stderr)
			case !named && (strings.Contains(got.stderr, "Invalid flag -") || strings.Contains(got.stderr, "is not a dokku command")):
				t.Errorf("%s %s is unknown: %s", command, flag, got.stderr)
			}
		}
	}
}
