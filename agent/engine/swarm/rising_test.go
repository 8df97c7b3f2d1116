package swarm

import "testing"

// TestRising: a group counts as one that is being made while any start goes on that met its making.
// A start that joins it later may join processes that serve.
func TestRising(t *testing.T) {
	var e Engine
	says := func(when string, want bool) {
		t.Helper()
		if got := e.makes("shop_web_a"); got != want {
			t.Errorf("%s: %t", when, got)
		}
	}
	first := e.rises("shop_web_a")
	second := e.rises("shop_web_a")
	says("before it is made", false)
	e.made("shop_web_a")
	first()
	says("while the second start goes on", true)
	second()
	says("after both", false)
	later := e.rises("shop_web_a")
	says("a later start", false)
	later()
	if len(e.rising) != 0 {
		t.Errorf("left are %v", e.rising)
	}
}
