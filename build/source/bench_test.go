package source

import (
	"context"
	"testing"

	"dokku/build/buildtest"
)

// BenchmarkValidate is the time that a push of 20,000 files waits before its
// build.
func BenchmarkValidate(b *testing.B) {
	r := newRepo(b)
	rev := r.Commit("", buildtest.ManyFiles(20_000, 10_000))
	for b.Loop() {
		s := r.open()
		c, err := s.Commit(rev)
		if err == nil {
			_, err = s.Validate(context.Background(), c, DefaultLimits)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
