package text

import (
	"slices"
	"testing"
)

func TestColumns(t *testing.T) {
	got := Columns([][]string{{"NAME", "COUNT", "NOTE"}, {"größe", "1", "a\tb"}, {"", "22", ""}}, 2)
	want := []string{
		"NAME   COUNT  NOTE",
		"größe  1      a\tb",
		"       22",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Columns(nil, 2); len(got) != 0 {
		t.Errorf("%q of no rows", got)
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 apps", 1: "1 app", 2: "2 apps"} {
		if got := Plural(n, "app"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1},
		{"abc", "xabc", 1}, {"abc", "acb", 1}, {"ps:scale", "ps:sacel", 2},
	} {
		if got, back := Distance(c.a, c.b), Distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("from %q to %q: %d, and back %d; want %d", c.a, c.b, got, back, c.want)
		}
	}
}
