package scale

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func lookup(name string) (string, bool) {
	v, ok := map[string]string{"PORT": "5000", "OPTS": "-a  -b", "EMPTY": "", "GLOB": "*", "PS": "3", "IFS": "0"}[name]
	return v, ok
}

func TestCommand(t *testing.T) {
	const shell = "shell"
	tests := []struct{ command, want string }{
		{"node server.js", "[node|server.js]"},
		{"gunicorn -b 0.0.0.0:$PORT app:app", "[gunicorn|-b|0.0.0.0:5000|app:app]"},
		{"a -Dport=${PORT} b", "[a|-Dport=5000|b]"},
		{`a "x  $PORT" 'y $PORT' \$PORT`, "[a|x  5000|y $PORT|$PORT]"},
		{"a $OPTS b", "[a|-a|-b|b]"},
		{`a "$OPTS" b`, "[a|-a  -b|b]"},
		{`a $EMPTY "$EMPTY" b`, "[a||b]"},
		{`a --meta "x=true" --y='{"b":1}'`, `[a|--meta|x=true|--y={"b":1}]`},
		{`echo \*`, "[echo|*]"},
		{`a "*" '?'`, "[a|*|?]"},
		{"env A=1 b", "[env|A=1|b]"},
		{"a --b=c d:e @f %g +h", "[a|--b=c|d:e|@f|%g|+h]"},

		{"a && b", shell}, {"a || b", shell}, {"a; b", shell}, {"a;", shell}, {"a | b", shell}, {"a &", shell},
		{"a > b", shell}, {"a 2>&1", shell}, {"a < b", shell}, {"a $(b)", shell}, {"a `b`", shell}, {"a $((1+1))", shell},
		{"A=1 b", shell}, {"A=1", shell}, {"a *.js", shell}, {"env QUEUE=* b", shell}, {"a b?", shell}, {"a [b]", shell},
		{"a {b,c}", shell}, {"a ~/b", shell}, {"a --b=~/c", shell}, {"! a", shell}, {"(a)", shell}, {"{ a; }", shell}, {"if a; then b; fi", shell},
		{"exec a", shell}, {"cd a", shell}, {"source a", shell}, {". a", shell}, {"a $UNKNOWN", shell}, {`a "$UNKNOWN"`, shell},
		{"a ${PORT:-1}", shell}, {"a ${#PORT}", shell}, {"a $1", shell}, {"a $$", shell}, {"a $@", shell}, {"a $GLOB", shell},
		{"a $'b'", shell}, {`a $"b"`, shell}, {"a <(b)", shell}, {"a \"$(touch /tmp/x)\"", shell}, {"$EMPTY", shell}, {"time a", shell},
		{"[[ a ]]", shell}, {"a # b", "[a]"},

		{`sh -c "cd / && a"`, "[sh|-c|cd / && exec a]"}, {`bash -lc "A=1 a"`, "[bash|-lc|A=1 exec a]"},
		{`sh -ec "cd / && a"`, "[sh|-ec|cd / && a]"}, {`sh -c "cd / && a" b`, "[sh|-c|cd / && a|b]"},

		{`a "b`, "cannot read the command"}, {"a 'b", "cannot read the command"}, {"a $(b", "cannot read the command"},
		{" ", "the command is empty"}, {"a &&", "cannot read the command"},
	}
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			argv, needs, err := Command(tt.command, lookup)
			got := "[" + strings.Join(argv, "|") + "]"
			if needs {
				if argv[0] != "/bin/sh" || argv[1] != "-c" || !slices.Contains(argv, planLine(tt.command).text) {
					t.Errorf("the shell gets %s", got)
				}
				got = shell
			}
			check(t, got, err, tt.want)
		})
	}
}

func ExampleCommand() {
	env := func(name string) (string, bool) { return "5000", name == "PORT" }
	argv, shell, _ := Command("gunicorn -b :$PORT app:app", env)
	fmt.Printf("%q %v\n", argv, shell)
	argv, shell, _ = Command("cd /app && serve", env)
	fmt.Printf("%q %v\n", argv, shell)
	// Output:
	// ["gunicorn" "-b" ":5000" "app:app"] false
	// ["/bin/sh" "-c" "cd /app && exec serve"] true
}

// TestFunctionWithoutName: the parser takes a function without a name, which no shell of an image does, and a
// Procfile with one ended the program that read it.
func TestFunctionWithoutName(t *testing.T) {
	for line, want := range map[string]string{"()0": `["()0"]`, "a (() b)": `["a" "(()" "b)"]`, "() { a; }": "anonymous functions", "a && () b": ""} {
		argv, _, err := Command(line, func(string) (string, bool) { return "", false })
		if got := fmt.Sprintf("%q %v", argv, err); !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
		Shell(line)
		_, _ = ParseProcfile([]byte("web: " + line + "\n"))
	}
}
