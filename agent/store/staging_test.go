package store

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestStagingAtTheSameTime: commands that begin at once get a folder each, which no other one
// removes.
func TestStagingAtTheSameTime(t *testing.T) {
	s := &Store{Root: t.TempDir()}
	if err := os.Mkdir(s.Own(), 0o700); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				dir, done, err := s.Staging("source-")
				if err != nil {
					t.Error(err)
					return
				}
				s.SweepStaging()
				if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
					t.Error(err)
				}
				done()
			}
		})
	}
	all.Wait()
	if left, _ := os.ReadDir(s.Own()); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}
