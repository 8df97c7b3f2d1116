package docker

import (
	"maps"
	"testing"

	"dokku/agent/engine"
)

// TestLogConfig: a container's log has the size that was asked for.
func TestLogConfig(t *testing.T) {
	for size, want := range map[string]map[string]string{
		"":          {"max-size": "10m", "max-file": "2"},
		"20m":       {"max-size": "20m", "max-file": "2"},
		"unlimited": {},
	} {
		if got := LogConfig(engine.Spec{LogSize: size}); got.Type != "json-file" || !maps.Equal(got.Config, want) {
			t.Errorf("%q: %+v, want %v", size, got, want)
		}
	}
	got := LogConfig(engine.Spec{LogSize: "20m", Options: engine.Options{LogFiles: 5}}).Config
	if want := map[string]string{"max-size": "20m", "max-file": "5"}; !maps.Equal(got, want) {
		t.Errorf("with files: %v, want %v", got, want)
	}
}
