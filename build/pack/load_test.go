package pack

import (
	"strings"
	"testing"
)

// TestLoaded: what engines answer to a load.
func TestLoaded(t *testing.T) {
	for answer, want := range map[string]string{
		`{"stream":"Loaded image ID: sha256:1\n"}`: "sha256:1",
		`{"stream":"Loaded image ID: sha256:1\n"}{"stream":"Error unpacking image sha256:1: no space left on device\n"}`: "Error unpacking image sha256:1: no space left on device",
		`{"error":"no space left on device"}`: "no space left on device",
		`{"stream":"x"}`:                      "it named no image",
		`{"stream":`:                          "unexpected EOF",
	} {
		got, err := readLoaded(strings.NewReader(answer))
		if err != nil {
			got += err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
}
