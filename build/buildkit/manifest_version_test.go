package buildkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNewerManifest: a manifest of a newer version is refused and stays; a damaged
// one counts as missing.
func TestNewerManifest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "manifest")
	for content, want := range map[string]string{
		"dokku manifest 2\nrest":    path + ": it has version 2, this dokku knows up to 1: install the newer dokku again",
		"dokku manifest 17\n":       "it has version 17",
		"dokku manifest 1\ndamaged": "",
		"dokku manifest x\n":        "",
		"dokku manifest ":           "",
		"":                          "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readManifest(path)
		switch {
		case m != nil, want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, %v, want %q", content, m, err, want)
		}
		if now, _ := os.ReadFile(path); string(now) != content {
			t.Errorf("%q has become %q", content, now)
		}
	}
}
