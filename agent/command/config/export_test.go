package config

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

var hostile = map[string]string{
	"PLAIN": "value", "EMPTY": "", "SPACES": "  a  b ", "SINGLE": "it's", "DOUBLE": `say "hi"`, "DOLLAR": "$HOME ${A} $(id)",
	"TICKS": "`id`", "SLASH": `a\nb\\c\`, "LINES": "one\ntwo\n", "CR": "a\r\nb", "BANG": "wow!!", "SEMI": "a; b & c | d > e",
	"HASH": "#no comment", "EQUALS": "a=b=c", "UTF": "größe ☃", "ESC": "\x1b[31mred", "TAB": "a\tb", "QUOTES": `'"'"'`, "NUMBER": "08",
}

// A shell gets back every value byte for byte.
func TestExportThroughAShell(t *testing.T) {
	for _, format := range []string{"exports", "shell"} {
		text, err := export(hostile, format)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range hostile {
			script := text + "\nprintf %s \"$" + key + "\""
			cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
			cmd.Env = []string{}
			if got, err := cmd.Output(); err != nil || string(got) != want {
				t.Errorf("%s: %s is %q (%v), want %q", format, key, got, err, want)
			}
		}
	}
}

func TestExport(t *testing.T) {
	text, err := export(hostile, "json")
	var back map[string]string
	if err != nil || json.Unmarshal([]byte(text), &back) != nil || len(back) != len(hostile) {
		t.Fatalf("%s: %v", text, err)
	}
	for k, v := range hostile {
		if back[k] != v {
			t.Errorf("json: %s is %q, want %q", k, back[k], v)
		}
	}
	text, err = export(map[string]string{"A": "it's \"$x\" `y` \\ \n"}, "envfile")
	if want := "A=\"it's \\\"\\$x\\\" \\`y\\` \\\\ \\n\"\n"; err != nil || text != want {
		t.Errorf("envfile: %q, want %q (%v)", text, want, err)
	}
}

func TestShowIsHarmless(t *testing.T) {
	shown := pairs(hostile)
	if strings.ContainsAny(shown, "\x1b\r") || strings.Count(shown, "\n") != len(hostile) {
		t.Errorf("%q", shown)
	}
}
