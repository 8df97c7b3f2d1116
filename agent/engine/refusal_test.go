package engine_test

import (
	"testing"

	"dokku/agent/engine"
)

func TestParseRefusal(t *testing.T) {
	for line, want := range map[string]engine.Refusal{
		"[FATAL tini (7)] exec ./run.sh failed: No such file or directory": {Program: "./run.sh", Cause: "No such file or directory"},
		"[FATAL tini (12)] exec /my app failed: Permission denied":         {Program: "/my app", Cause: "Permission denied"},
		"exec ./run.sh failed: No such file or directory":                  {},
		"[WARN  tini (7)] exec ./run.sh failed: x":                         {},
	} {
		got := engine.ParseRefusal(line)
		if got == nil {
			got = &engine.Refusal{}
		}
		if *got != want {
			t.Errorf("%s: got %+v", line, *got)
		}
	}
}
