package config

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"dokku/agent/command/cli"
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

// FuzzConfig: a variable that is accepted comes back byte for byte from each format that is read
// again, and text that is no variable is an error that has nothing of it.
func FuzzConfig(f *testing.F) {
	for _, v := range []string{"", "a b", `a"b`, "a'b", "$A", "${A}", "$(id)", "`id`", "a\\", "a\nb", "a\r\nb", "\\n", "\\$", "#a", "a #b", "\u2028", "\u009b2J", "é", `\"`, "a\\\\"} {
		f.Add("KEY", v, []byte("KEY="+v+"\n"))
	}
	f.Add("KEY", "", []byte(`{"A": "b", "A": 1}`))
	f.Fuzz(func(t *testing.T, key, value string, file []byte) {
		if cli.CheckKey(key) == nil && cli.CheckValue(key, value) == nil {
			for _, format := range []string{"envfile", "json"} {
				text, err := export(map[string]string{key: value}, format)
				if err != nil {
					t.Fatal(err)
				}
				back, err := parseImport([]byte(text), format)
				if err != nil || len(back) != 1 || back[key] != value {
					t.Errorf("%s of %q: %q comes back as %q, %v (%q)", format, key, value, back[key], err, text)
				}
			}
		}
		for _, format := range []string{"envfile", "json"} {
			set, err := parseImport(file, format)
			if err != nil && (set != nil || strings.ContainsFunc(err.Error(), unicode.IsControl)) {
				t.Errorf("%q: %v, %q", file, set, err)
			}
		}
	})
}
