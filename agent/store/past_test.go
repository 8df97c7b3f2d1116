package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dokku/agent/app"
	"dokku/agent/store"
)

// TestPast: summaries come back, the highest first, and a long history costs no more than
// a short one: of 10,000 releases the last ones are read from one file or two, and one
// release is added to one file.
func TestPast(t *testing.T) {
	s := &store.Store{Root: t.TempDir()}
	if err := os.MkdirAll(s.File("shop", store.PastDir), 0o700); err != nil {
		t.Fatal(err)
	}
	for file := range 99 { // nobody may read these
		if err := os.WriteFile(s.File("shop", store.PastDir, fmt.Sprint(file, ".json")), []byte("no JSON"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{9901, 9950, 9999, 10000, 10001, 9950} {
		if err := s.SavePast("shop", app.ReleaseSummary{Number: n, Cause: fmt.Sprint("cause ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Past("shop", 10001, 4)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, r := range list {
		got = append(got, r.Number)
	}
	if fmt.Sprint(got) != "[10000 9999 9950 9901]" || list[2].Cause != "cause 9950" {
		t.Errorf("past releases %v: %+v", got, list)
	}
	if _, err := s.Past("shop", 10001, 5); err == nil {
		t.Error("a file that is no JSON is taken for an empty one")
	}
	if r, found, err := s.PastRelease("shop", 10000); !found || err != nil || r.Number != 10000 {
		t.Errorf("v10000: %+v, %v, %v", r, found, err)
	}
	if _, found, err := s.PastRelease("shop", 20000); found || err != nil {
		t.Errorf("v20000 is found: %v", err)
	}
	if left, _ := filepath.Glob(s.File("shop", store.PastDir, ".*")); len(left) > 0 {
		t.Errorf("temporary files are left: %q", left)
	}
}
