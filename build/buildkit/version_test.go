package buildkit

import "testing"

// TestUnsafe: a push to an engine with a flaw in its builder was root on the host.
func TestUnsafe(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"19.03.15": true, "20.10.24+dfsg1": true, "23.0.6": true, "24.0.8": true, "24.0.9": false, "24.1.0": false,
		"25.0.0": true, "25.0.1": true, "25.0.2": false, "26.1.5+dfsg1": false, "29.0.0": false, "dev": false, "0.0.0-dev": false, "": false, "5.4": false,
	} {
		if got := Unsafe(version); got != want {
			t.Errorf("%q: %t", version, got)
		}
	}
}
