package command

import (
	"io"
	"testing"

	"dokku/agent/command/cli"
)

// BenchmarkVersion is what each command line costs besides the process.
func BenchmarkVersion(b *testing.B) {
	for b.Loop() {
		Execute(b.Context(), cli.Env{Stdout: io.Discard, Stderr: io.Discard, Version: "1"}, []string{"version"})
	}
}
