package command

import (
	"io"
	"testing"

	"dokku/agent/command/cli"
)

// BenchmarkVersion measures the cost of a command line, without that of the process.
func BenchmarkVersion(b *testing.B) {
	for b.Loop() {
		Execute(b.Context(), cli.Env{Stdout: io.Discard, Stderr: io.Discard, Version: "1"}, []string{"version"})
	}
}
