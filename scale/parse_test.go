package scale

import (
	"strings"
	"testing"
)

func TestParseProcfile(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"one", "web: ./server", "web=./server@1"},
		{"no space", "web:./server", "web=./server@1"},
		{"CRLF, BOM, blank lines", "\xef\xbb\xbfweb: a\r\n\r\n  worker:   b  \r\n", "web=a@1 worker=b@3"},
		{"comments", "# x: y\n// z\nweb: a # b\nworker: c // d # e\nx: http://y/#z", "web=a@3 worker=c@4 x=http://y/#z@5"},
		{"quoted hash", `web: sh -c "echo # it's" 'a // b' # c`, `web=sh -c "echo # it's" 'a // b'@1`},
		{"escaped quote", `web: echo don\'t # c`, `web=echo don\'t@1`},
		{"colons in the command", "web: a -b :$PORT c:d", "web=a -b :$PORT c:d@1"},
		{"space before the colon", "web : a", "web=a@1"},
		{"open quote", "web: echo don't\nworker: b", "web=echo don't@1 worker=b@2"},
		{"all characters", "A_b-9: x", "A_b-9=x@1"},
		{"63 characters", strings.Repeat("a", 63) + ": x", strings.Repeat("a", 63) + "=x@1"},

		{"64 characters", strings.Repeat("a", 64) + ": x", "longer than 63"},
		{"empty", "", "Procfile: the file has no process: write a line such as web: ./server"},
		{"only comments", "# web: a\n", "the file has no process"},
		{"duplicate", "web: a\nweb: b", `Procfile:2: "web: b": line 1 already has web`},
		{"equal duplicate", "web: a\nweb: a", "line 1 already has"},
		{"no command", "web:", "web has no command"},
		{"only a comment", "web: # later", "web has no command"},
		{"no colon", "web", `Procfile:1: "web": this is not a process: write type: command`},
		{"no type", ": a", "the name of the process type is missing"},
		{"several lines", "web: bash -c \" \\\n  cd app && \\\n  serve\"\nworker: b\nclock",
			"Procfile:1: `web: bash -c \" \\`: a command is one line, and this one goes on in line 2: join the lines, " +
				"with && or ; between commands, or put them into a script and run that\nProcfile:5"},
		{"backslash", "web: a \\\n--b \\\n--c\nworker b",
			`Procfile:1: "web: a \\": a command is one line, and this one goes on in line 2`},
		{"backslash, then another problem", "web: a \\\n--b\nworker b", "Procfile:3: \"worker b\": this is not a process"},
		{"bad type", "web.1: a", `"web.1" cannot be the name of a process type`},
		{"merge conflict", "<<<<<<< HEAD:x\nweb: a", "leftover of a merge conflict"},
		{"UTF-16", "\xff\xfew\x00e\x00", "the file is UTF-16: save it as UTF-8"},
		{"UTF-16 without a mark", "w\x00e\x00b\x00", "NUL byte"},
		{"Latin-1", "web: caf\xe9", "Procfile:1: the file is not UTF-8"},
		{"all bad lines", "a\nweb: b\nc:", `"a": this is not a process: write type: command` + "\nProcfile:3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParseProcfile([]byte(tt.src))
			check(t, procfileText(p), err, tt.want)
		})
	}
}

// check compares a result in full and an error by the part that matters.
func check(t *testing.T, got string, err error, want string) {
	t.Helper()
	if err == nil && got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
		t.Errorf("got error %q, want %q", err, want)
	}
}

func TestRelease(t *testing.T) {
	p, err := ParseProcfile([]byte("release: migrate\nweb: a\nclock: b"))
	if err != nil {
		t.Fatal(err)
	}
	if cmd, ok := p.Release(); !ok || cmd != "migrate" {
		t.Errorf("release is %q, %v", cmd, ok)
	}
	if got := strings.Join(p.Types(), " "); got != "web clock" {
		t.Errorf("types are %q", got)
	}
	if got := strings.Join(Procfile(nil).Types(), " "); got != "web" {
		t.Errorf("types without a Procfile are %q", got)
	}
}

func TestParseDokkuScale(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"two", "web=2\nworker=1\n", "web=2@1 worker=1@2"},
		{"no final newline", "web=3", "web=3@1"},
		{"CRLF and BOM", "\xef\xbb\xbfweb=1\r\nworker=2\r\n", "web=1@1 worker=2@2"},
		{"comments", "# all\n\nweb=1 # one\nworker=2# two\n", "web=1@3 worker=2@4"},
		{"spaces", "  web = 2 \n", "web=2@1"},
		{"leading zero", "web=08", "web=8@1"},
		{"equal duplicates", "web=1\nweb=01", "web=1@1"},
		{"limit", "web=100", "web=100@1"},
		{"empty", "", ""},
		{"only comments", "# web=1\n\n", ""},

		{"colon", "web: 1", `DOKKU_SCALE:1: "web: 1": did you mean web=1?`},
		{"space", "web 1", "did you mean web=1?"},
		{"two on a line", "web=1 worker=8", "put web=1 and worker=8 on lines of their own"},
		{"commas", "web=1, worker=8", "put web=1 and worker=8 on lines of their own"},
		{"word", "web=two", `"two" is not a count: write a whole number such as web=1`},
		{"no count", "web=", "web has no count: write web=1, or web=0"},
		{"no sign", "web", "web has no count"},
		{"negative", "web=-1", `"-1" is not a count`},
		{"plus", "web=+1", `"+1" is not a count`},
		{"sum", "web=1+1", `"1+1" is not a count`},
		{"fraction", "web=1.5", `"1.5" is not a count`},
		{"quotes", `web="2"`, "did you mean web=2?"},
		{"other digits", "web=٣", "is not a count"},
		{"duplicates", "web=1\nworker=1\nweb=2", `DOKKU_SCALE:3: "web=2": line 1 sets web to 1: keep one`},
		{"too many", "web=101", "101 of web is more than 100"},
		{"overflow", "web=99999999999999999999", "is more than 100"},
		{"bad type", "we b=1", "cannot be the name of a process type"},
		{"no type", "=1", "the name of the process type is missing"},
		{"command substitution", "web=$(id)", "is not a count"},
		{"all at once", "web=x\nok=1\nworker: 2", `such as web=1` + "\n" + `DOKKU_SCALE:3: "worker: 2"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDokkuScale([]byte(tt.src), 0)
			check(t, scaleText(d), err, tt.want)
			if err == nil && tt.want == "" && (d != nil || d.Counts() != nil) {
				t.Errorf("an empty file is %#v, want nil", d)
			}
		})
	}
	if _, err := ParseDokkuScale([]byte("web=5"), 4); err == nil || !strings.Contains(err.Error(), "more than 4") {
		t.Errorf("limit of 4: %v", err)
	}
}

func TestExplainScale(t *testing.T) {
	p := Procfile{{Type: "web"}, {Type: "my-worker"}, {Type: "release"}}
	_, err := ParseDokkuScale([]byte("export:80\nweb: 2\nmyworker 3\nweb=x"), 0)
	want := "DOKKU_SCALE:1: \"export:80\": a line is type=count, and there is no process type export (there is web, my-worker)\n" +
		"DOKKU_SCALE:2: \"web: 2\": did you mean web=2?\n" +
		"DOKKU_SCALE:3: \"myworker 3\": did you mean my-worker=3?\n" +
		"DOKKU_SCALE:4: \"web=x\": \"x\" is not a count: write a whole number such as web=1"
	if got := p.ExplainScale(err).Error(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestLargeFiles(t *testing.T) {
	large := []byte(strings.Repeat("#\n", maxLines))
	if _, err := ParseProcfile(large); err == nil || !strings.Contains(err.Error(), "more than the limit of 65536") {
		t.Errorf("Procfile: %v", err)
	}
	// Reading has to stay linear: many tokens within the limit take no time.
	if _, err := ParseAppJSON([]byte("[" + strings.Repeat("0,\n", maxJSON/3-2) + "0]")); err == nil || !strings.Contains(err.Error(), "an object") {
		t.Errorf("app.json: %v", err)
	}
}

func TestManyProblems(t *testing.T) {
	_, err := ParseDokkuScale([]byte(strings.Repeat("web=x\n", 1000)), 0)
	if n := strings.Count(err.Error(), "\n"); n != mostProblems || !strings.Contains(err.Error(), "and 980 more") {
		t.Errorf("%d lines: %v", n, err)
	}
}

func TestParseAppJSON(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"empty object", "{}", ""},
		{"empty file", " \n", ""},
		{"no limit of parallel starts", `{"formation": {"web": {"quantity": 100, "max_parallel": 0}}}`, "web=100"},
		{"formation", `{"formation": {"web": {"quantity": 2, "max_parallel": 1}, "worker": {}}}`, "web=2/1 worker"},
		{"null", `{"formation": {"web": {"quantity": null}}}`, "web"},
		{"comments", "// a\n{ /* b */ \"formation\": {\"web\": {\"quantity\": 0,},}, }", "web=0"},
		{"scripts", `{"scripts": {"dokku": {"predeploy": " a ", "postdeploy": "b"}, "test": 1}}`, "predeploy:a postdeploy:b"},
		{"others' keys", `{"name": 1, "env": [], "buildpacks": {}, "addons": null}`, "ignored:addons,buildpacks"},
		{"healthchecks", "{\"healthchecks\": {\"web\": [\n{\"path\": \"/a\"},\n{\"uptime\": 3}]}}", "web check@2 web check@3"},

		{"wrong kind", "{\n\"formation\": {\"web\": {\n\"quantity\": \"2\"}}}",
			"app.json:3: `\"2\"`: formation.web.quantity is of kind string: write a whole number, without quotes"},
		{"fraction", `{"formation": {"web": {"quantity": 1.5}}}`, `app.json:1: "1.5": formation.web.quantity is of kind number: write a whole number, without quotes`},
		{"negative", "{\"formation\": {\n\"web\": {\"quantity\": -1}}}", `app.json:2: "-1": the quantity of web is negative`},
		{"bad type", `{"formation": {"a.b": {"quantity": 1}}}`, `formation: "a.b" cannot be the name`},
		{"max_parallel", `{"formation": {"web": {"max_parallel": -1}}}`, "max_parallel of web is negative"},
		{"twice", "{\"formation\": {\"web\": {\"quantity\": 1},\n\"web\": {\"quantity\": 2}}}", `app.json:2: "web": this key is in line 1 already`},
		{"brace missing", "{\n\"scripts\": {\n}\n", "app.json:3: the file ends too early: a } is missing (the { of line 1 is not closed)"},
		{"brace missing below its key", "{\"scripts\":\n{\n", "app.json:2: the file ends too early: a } is missing (the { of line 2 is not closed)"},
		{"comma missing", "{\n\"a\": 1\n\"b\": 2}", "app.json:2: `\"a\": 1`: this is not JSON"},
		{"wrong kind of a type", `{"formation": {"web": {"quantity": 1}, "clock": []}}`, "app.json:1: formation.clock is of kind array: write an object in { }"},
		{"wrong kind of checks", `{"healthchecks": {"web": {}}}`, "app.json:1: healthchecks.web is of kind object: write a list in [ ]"},
		{"wrong kind in a list", `{"healthchecks": {"web": [{}, 5]}}`, `app.json:1: "5": healthchecks.web.1 is of kind number: write an object in { }`},
		{"wrong kind, and others", "{\"formation\": {\"web\": {\"quantity\": \"a\\\\\\\"b\"}},\n\"cron\": [{\"command\": \"x\"}]}",
			"app.json:1: `\"a\\\\\\\"b\"`: formation.web.quantity is of kind string: write a whole number, without quotes\n" +
				`app.json:2: the cron task "x" has no schedule: write "schedule": "0 3 * * *"`},
		{"array", "[]", "app.json:1: the file is of kind array: write an object in { }"},
		{"rest", "{} x", "there is text after"},
		{"deep", strings.Repeat("[", 1000), "more than 64 levels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAppJSON([]byte(tt.src))
			check(t, appJSONText(a), err, tt.want)
		})
	}
}

func TestAppJSONWarnings(t *testing.T) {
	a, err := ParseAppJSON([]byte("{\n\"cron\": [{\"command\": \"a\", \"schedule\": \"@daily\", \"user\": \"x\"}],\n\"scripts\": {\"predeploy\": \"b\", \"postdeploy\": \" c \"}}"))
	if err != nil || len(a.Warnings) != 2 {
		t.Fatalf("%v, %v", a.Warnings, err)
	}
	want := []string{"app.json:2: \"user\" of a cron task is unknown and has no effect: write command, schedule", "app.json:3: scripts.predeploy is not run: write it as scripts.dokku.predeploy"}
	for i, w := range want {
		if got := a.Warnings[i].String(); !strings.HasPrefix(got, w) {
			t.Errorf("got %q, want %q", got, w)
		}
	}
	if a.FirstDeploy != "c" {
		t.Errorf("the script of the first deploy is %q", a.FirstDeploy)
	}
}

func TestAppJSONLimit(t *testing.T) {
	a, err := ParseAppJSON([]byte("{\"formation\": {\n\"web\": {\n\"quantity\": 100000}, \"worker\": {\"quantity\": 100}, \"clock\": {}}}"))
	if err != nil {
		t.Fatal(err)
	}
	for max, want := range map[int]string{
		0:      `app.json:3: "100000": 100000 of web is more than 100, this server's limit for one type: lower it, or ask the server's admin to raise the limit`,
		99:     "app.json:3: \"100000\": 100000 of web is more than 99, ",
		100000: "",
	} {
		err := a.CheckQuantities(max)
		check(t, "", err, want)
		if err == nil && want != "" {
			t.Errorf("with a limit of %d there is no error", max)
		}
	}
}
