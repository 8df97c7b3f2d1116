package command

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"dokku/agent/command/cli"
)

// TestVersion: the number that the source carries is the changelog's first one. Clients of
// Dokku find the version of its interface as the first number, and as the third word.
func TestVersion(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?m)^## (.+)$`).FindStringSubmatch(string(text)); m == nil || m[1] != cli.Number {
		t.Errorf("CHANGELOG.md begins with %q, the source has %s", m, cli.Number)
	}
	out := newFixture(t).run("version").stdout
	if first := regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`).FindString(out); first != cli.Interface {
		t.Errorf("the first number is %q", first)
	}
	if words := strings.Fields(out); words[2] != cli.Interface {
		t.Errorf("the third word is %q", words[2])
	}
}
