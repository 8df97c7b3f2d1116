package frontdoor

import "testing"

func TestDiffer(t *testing.T) {
	for _, c := range []struct {
		theirs, ours string
		want         bool
	}{
		{"0.2.0 abc", "0.2.0 abc", false},
		{"0.2.0 abc", "0.2.0 def", true},
		{"0.1.0 abc", "0.2.0 abc", true},
		{"0.2.0 unknown", "0.2.0 abc", false},
		{"0.1.0 unknown", "0.2.0 abc", true},
		{"0.2.0 abc", "", false},
		{"", "0.2.0 abc", true},
	} {
		if got := differ(c.theirs, c.ours); got != c.want {
			t.Errorf("%q and %q: %t", c.theirs, c.ours, got)
		}
	}
}

func TestSome(t *testing.T) {
	if got := some([]string{"a", "b"}); got != "a, b" {
		t.Error(got)
	}
	if got := some([]string{"a", "b", "c", "d", "e", "f", "g"}); got != "a, b, c, d, e and 2 other apps" {
		t.Error(got)
	}
}
