package main

import "testing"

func TestFirstWord(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "help"},
		{[]string{"--quiet"}, "help"},
		{[]string{"ps:scale", "web"}, "ps:scale"},
		{[]string{"--quiet", "--app", "x", "--force", "ps:scale"}, "ps:scale"},
		{[]string{"--app=x", "version"}, "version"},
		{[]string{"--version"}, "--version"},
		{[]string{"--app"}, "help"},
	} {
		if got := firstWord(c.args); got != c.want {
			t.Errorf("firstWord(%q) = %q, want %q", c.args, got, c.want)
		}
	}
}
