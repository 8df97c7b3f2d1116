package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDeployLogEndsWithTheError: the log of a rejected push contains the reason.
func TestDeployLogEndsWithTheError(t *testing.T) {
	h := newHistory(t)
	if err := os.WriteFile(filepath.Join(h.dir, "DOKKU_SCALE"), []byte("web=many\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, h.dir, "add", "-A")
	git(t, h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x")
	h.pack = newPack(t, h, "HEAD")
	m := newMachine(t, h)
	if err := m.push(h.one, git(t, h.dir, "rev-parse", "HEAD")); err == nil {
		t.Fatal("the push is accepted")
	}
	entries, err := os.ReadDir(m.server.Env.Store.File("shop", "deploys"))
	if err != nil {
		t.Fatal(err)
	}
	found := slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		log, err := os.ReadFile(m.server.Env.Store.File("shop", "deploys", e.Name()))
		return err == nil && strings.Contains(string(log), "web=many")
	})
	if !found {
		t.Errorf("none of %d logs has the reason", len(entries))
	}
}
