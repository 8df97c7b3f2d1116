package scale

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestCheckCommands(t *testing.T) {
	tests := []struct{ src, warning, problem string }{
		{"release: echo MIGRATED\nweb: gunicorn app:create_app()",
			"Procfile:2: \"web: gunicorn app:create_app()\": column 29: no shell can read this (: " +
				"write the word in quotes, 'app:create_app()'; it runs as plain words, without a shell", ""},
		{"web: gunicorn -b :$PORT 'app' b.c:d(x=1) e", "column 36: no shell can read this (: write the word in quotes, 'b.c:d(x=1)'", ""},
		{"  web:   a f(", "column 13: no shell can read this (: write the word in quotes, 'f('", ""},
		{"web: a '(' \\( f()", "column 16: no shell can read this (: write the word in quotes, 'f()'", ""},
		{"web: a f('x')", `write the word in quotes, "f('x')"`, ""},
		{"web: a )b", "column 8: no shell can read this ): write the word in quotes, ')b'", ""},
		{"release: flask f()", "", "Procfile:1: \"release: flask f()\": column 17: no shell can read this (: write the word in quotes, 'f()'"},
		{"web: cd x && gunicorn app:create_app()", "", "Procfile:1: \"web: cd x && gunicorn app:create_app()\": column 37: no shell can read this command: "},
		{"web: a \"b", "", "Procfile:1: `web: a \"b`: column 8: no shell can read this command: reached EOF without closing quote `\"`: " +
			"close the quote, or write \\ before it"},
		{"web: a &&", "", "column 8: no shell can read this command: `&&` must be followed by a statement"},
		{"web: if a", "", "column 6: no shell can read this command: "},
		{"web: a $(b", "", "no shell can read this command: "},
		{"web: a 'b(c)' \"(d)\" \\(e\\)\nworker: (a)\nclock: f() { a; }; f", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			p, err := ParseProcfile([]byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			warnings, err := p.CheckCommands()
			check(t, "", err, tt.problem)
			if err == nil && tt.problem != "" {
				t.Errorf("no error, want %s", tt.problem)
			}
			if got := fmt.Sprint(warnings); !strings.Contains(got, tt.warning) || tt.warning == "" && got != "[]" {
				t.Errorf("got warnings %s, want %s", got, tt.warning)
			}
		})
	}
}

func TestCheckAppJSON(t *testing.T) {
	a, err := ParseAppJSON([]byte("{\"scripts\": {\"dokku\": {\n\"predeploy\": \"f()\",\n\"postdeploy\": \"echo 'a\"},\n\"postdeploy\": [\"x\"]}}"))
	if err != nil {
		t.Fatal(err)
	}
	err = a.Check()
	want := []string{`app.json:2: "f()": scripts.dokku.predeploy, column 2: no shell can read this (`, `app.json:3: "echo 'a": scripts.dokku.postdeploy, column 6: `,
		"app.json:4: scripts.postdeploy must be a text in quotes"}
	for i, line := range strings.Split(fmt.Sprint(err), "\n") {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("got %s", line)
		}
	}
	if a, err = ParseAppJSON([]byte(`{"scripts": {"dokku": {"predeploy": "a && b | c"}}}`)); err != nil || a.Check() != nil {
		t.Errorf("%v, %v", err, a.Check())
	}
}

// TestPlainWords: a command that no shell can read runs as its words.
func TestPlainWords(t *testing.T) {
	argv, shell, err := Command(`gunicorn -b ":$PORT" app:create_app('x') y`, lookup)
	if got := strings.Join(argv, "|"); got != "gunicorn|-b|:5000|app:create_app(x)|y" || shell || err != nil {
		t.Errorf("%s, %v, %v", got, shell, err)
	}
}

// TestDeepCommand: a pusher ends the hook and the agent of every app by a command of
// 700,000 parentheses, which overflow the parser's stack.
func TestDeepCommand(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	limits := map[string]bool{}
	for _, most := range []int{maxScript, maxCommand} {
		limits[fmt.Sprintf("it has 700001 bytes, more than the limit of %d: put it into a script of the repository, and run that", most)] = true
	}
	for _, open := range []string{"(", "$(", "${", "`", "{ ", "if ", "$((", "\"$("} {
		deep := strings.Repeat(open, 700000)[:700000] + "x"
		text, err := json.Marshal(deep)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{`{"scripts": {"dokku": {"predeploy": %s}}}`, `{"scripts": {"postdeploy": %s}}`, `{"cron": [{"command": %s, "schedule": "@daily"}]}`} {
			a, err := ParseAppJSON(fmt.Appendf(nil, file, text))
			if err == nil {
				err = a.Check()
			}
			_, said, _ := strings.Cut(fmt.Sprint(err), ", it has ")
			if _, cannot, ok := strings.Cut(fmt.Sprint(err), " cannot run: it has "); ok {
				said = cannot
			}
			if err == nil || !limits["it has "+said] || len(err.Error()) > 1000 {
				t.Errorf("%q in %s: %.1000v", open, file, err)
			}
		}
		// Of a file of an older version, or of a backup.
		if _, _, err := Command(deep, none); err == nil {
			t.Errorf("Command takes 700,000 %q", open)
		}
		Shell(deep)
		ShellReason(deep, none)
	}
}
