package build

import (
	"strings"
	"testing"

	"dokku/build/source"
)

func TestHeader(t *testing.T) {
	c := source.Commit{Short: "3f2c1d9"}
	for want, h := range map[string]Header{
		"3f2c1d9, 14 files changed, 120 kB sent":   {Commit: c, FilesChanged: 14, BytesSent: 120_000, Sent: true},
		"3f2c1d9, 1 file changed, 0 B sent":        {Commit: c, FilesChanged: 1, Sent: true},
		"3f2c1d9, 2 files changed, sending 1.2 MB": {Commit: c, FilesChanged: 2, Sending: true, BytesChanged: 1_234_567},
		"3f2c1d9, 2 files changed":                 {Commit: c, FilesChanged: 2, BytesSent: 111, BytesChanged: 8_000_000},
		"3f2c1d9, 0 files changed, sending files":  {Commit: c, Sending: true, BytesSent: 10},
	} {
		if h.String() != want {
			t.Errorf("%q, want %q", h, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	run := "[3/3] RUN npm ci && " + strings.Repeat("x", 500)
	for want, e := range map[string]*Error{
		"cannot build 3f2c1d9: step [3/3] RUN ended with exit code 1; correct the command or the files that it uses and push again": {Step: run, ExitCode: 1},
		"cannot build 3f2c1d9: step [3/3] RUN was not found (exit code 127); install the command in an earlier step and push again": {Step: run, ExitCode: 127},
		"cannot build 3f2c1d9: step [3/3] RUN: no such file":                                                                        {Step: run, Reason: "no such file"},
		"cannot build 3f2c1d9: RUN npm ci ended with exit code 2; correct the command or the files that it uses and push again":     {Step: "RUN npm ci", ExitCode: 2},
		"cannot build 3f2c1d9: step [3/3] RUN ended with exit code 1; the server's disk is full: docker builder prune there frees space": {Step: run, ExitCode: 1,
			Output: []string{"npm ERR! ENOSPC: No space left on device, write", "exit"}},
		"cannot build 3f2c1d9: dockerfile parse error": {Reason: "dockerfile parse error"},
	} {
		if e.Commit = "3f2c1d9"; e.Error() != want {
			t.Errorf("%q, want %q", e, want)
		}
	}
}
