package nginx

import (
	"os"
	"path/filepath"
	"testing"
)

// TestUnwrittenTree: a tree that could not be written is removed, and nothing else. On a full
// disk, nginx still finds the files that it serves.
func TestUnwrittenTree(t *testing.T) {
	t.Parallel()
	n := New(Config{Dir: t.TempDir()})
	unlock, err := n.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	served, err := n.build(draft{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.build(draft{base: served, others: []string{"no such file.conf"}}); err == nil {
		t.Fatal("a tree is written of a file that does not exist")
	}
	if !n.has(served, serverFile) {
		t.Error("the other trees are gone")
	}
	if left := trees(t, n); left != 1 {
		t.Errorf("%d trees are left, want 1", left)
	}
}

// trees counts the entries in the folder of trees.
func trees(t *testing.T, n *Proxy) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(n.dir, "trees"))
	if err != nil {
		t.Error(err)
	}
	return len(entries)
}
