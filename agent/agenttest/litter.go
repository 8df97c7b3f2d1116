package agenttest

import (
	"os"
	"path/filepath"
	"testing"
)

// Litter lists files that a killed git leaves behind.
var Litter = []string{
	"objects/tmp_objdir-incoming-Zz1234/pack/tmp_pack_x", "refs/heads/main.lock", "refs/heads/a/b.lock", "refs/tags/v1.lock",
	"packed-refs.lock", "packed-refs.new", "shallow.lock", "HEAD.lock", "config.lock",
}

// Leave creates empty files below a folder.
func Leave(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
