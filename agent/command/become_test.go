package command

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"dokku/agent/command/cli"
)

// TestBecome: a command runs as the owner of the root, unless it needs none.
func TestBecome(t *testing.T) {
	for _, c := range []struct {
		line string
		want bool
	}{
		{"", false},
		{"--quiet", false},
		{"ps:scale web", true},
		{"--quiet --app x --force ps:scale", true},
		{"--app=x version", false},
		{"--version", false},
		{"-h", false},
		{"--app", false},
		{"help ps", false},
		{"ps:help", false},
		{"ps", true},
		{"apps", true},
		{"nosuch", true},
		{"__complete ps:scale", true},
		{"completion bash", false},
		{"ssh-keys:list", true},
		{"ssh-keys:add", os.Geteuid() != 0},
		{"ssh-keys:set", true},
	} {
		asked := false
		env := cli.Env{Root: t.TempDir(), Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Version: "1",
			Become: func() error {
				asked = true
				return errors.New("no")
			}}
		if code := Execute(t.Context(), env, strings.Fields(c.line)); asked != c.want || asked && code != 1 {
			t.Errorf("dokku %s: becomes the owner: %t, want %t; exit code %d", c.line, asked, c.want, code)
		}
	}
}
