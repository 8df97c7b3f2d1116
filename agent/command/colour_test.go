package command

import (
	"regexp"
	"strings"
	"testing"
)

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// TestColoursAddNothing runs commands with and without colours: what they print differs
// in the colours only.
func TestColoursAddNothing(t *testing.T) {
	painted := map[string]string{
		"apps:list":                           "\x1b[1m=====> My Apps\x1b[0m\nfresh\nhello\nshipped\nstopped\ntaken\n",
		"ps:scale hello":                      "\x1b[1m-----> Scaling for hello\x1b[0m\nproctype: qty\n--------: ---\nweb:  1\nworker: 0\n",
		"foo":                                 "\x1b[31m !     `foo` is not a dokku command.\x1b[0m\n\x1b[31m !     See `dokku help` for a list of available commands.\x1b[0m\n",
		"ps:set hello restart-policy no":      "\x1b[1m=====> Setting restart-policy to no\x1b[0m\n",
		"apps:lock hello":                     "\x1b[1m-----> Deploy lock created\x1b[0m\n",
		"ps:start fresh":                      "",
		"config:show hello":                   "",
		"config:set --no-restart hello X=1":   "",
		"git:report hello":                    "",
		"git:report hello --git-global-color": "\n",
		"ps:report hello --format json":       "",
		"help":                                "",
		"--quiet ps:scale hello":              "web:  1\nworker: 0\n",
		"domains:add hello taken.example.com": "",
		"git:set hello color pink":            "\x1b[31m !     Invalid color specified: \"pink\" is not one of: always, never, auto\x1b[0m\n",
	}
	for line, want := range painted {
		var got [2]result
		for i, on := range []bool{false, true} {
			f := newFixture(t)
			f.terminal, f.colour = true, on
			got[i] = f.run(strings.Fields(line)...)
		}
		plain, coloured := got[0], got[1]
		if text := coloured.stdout + coloured.stderr; want != "" && text != want {
			t.Errorf("dokku %s prints %q, want %q", line, text, want)
		}
		for i, pair := range [][2]string{{coloured.stdout, plain.stdout}, {coloured.stderr, plain.stderr}} {
			if text := colours.ReplaceAllString(pair[0], ""); text != pair[1] {
				t.Errorf("dokku %s, stream %d without its colours:\n%q\nwant\n%q", line, i+1, text, pair[1])
			}
			if strings.Contains(pair[1], "\x1b") {
				t.Errorf("dokku %s prints colours without a reader of any: %q", line, pair[1])
			}
		}
	}
}
