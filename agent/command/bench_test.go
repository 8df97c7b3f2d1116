package command

import (
	"io"
	"testing"
)

// BenchmarkVersion is what each command line costs besides the process.
func BenchmarkVersion(b *testing.B) {
	for b.Loop() {
		Execute(b.Context(), Env{Stdout: io.Discard, Stderr: io.Discard, Version: "1"}, []string{"version"})
	}
}
