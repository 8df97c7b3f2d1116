package scale

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlanLine: exec stands only where it is exact, and the shell stays where it is not.
func TestPlanLine(t *testing.T) {
	const stays = " (forwards)"
	tests := []struct{ line, want string }{
		{"cd / && srv", "cd / && exec srv"},
		{"cd / && ./srv", "cd / && exec ./srv"},
		{"X=1 Y=2 srv", "X=1 Y=2 exec srv"},
		{"srv 2>&1", "exec srv 2>&1"},
		{"srv $UNSET", "exec srv $UNSET"},
		{`"my srv" *.rb`, `exec "my srv" *.rb`},
		{"export A=1; . ./env; srv", "export A=1; . ./env; exec srv"},
		{"cd / && exec srv", "cd / && exec srv"},
		{"exec srv 2>&1", "exec srv 2>&1"},
		{"if [ -f x ]; then srv; else X=1 bar; fi", "if [ -f x ]; then exec srv; else X=1 exec bar; fi"},
		{"case $A in a) srv;; *) bar;; esac", "case $A in a) exec srv;; *) exec bar;; esac"},
		{"{ cd /; srv; }", "{ cd /; exec srv; }"},
		{"srv > >(tee log)", "exec srv > >(tee log)"},
		{"srv <<<x", "exec srv <<<x"},
		{"cd / # srv", "cd / # srv"},
		{"cd / || exit 1; srv", "cd / || exit 1; exec srv"},

		{"migrate && srv", "migrate && exec srv" + stays},
		{"migrate; srv", "migrate; exec srv" + stays},
		{"srv || srv2", "srv || exec srv2" + stays},
		{"srv; echo ended", "srv; echo ended" + stays},
		{"srv | cat", "srv | cat" + stays},
		{"(cd / && srv) | cat", "(cd / && exec srv) | cat" + stays},
		{"a && b | c", "a && b | c" + stays},
		{"a & b", "a & b" + stays},
		{"cd / && a & wait", "cd / && exec a & wait" + stays},
		{"while :; do srv; done", "while :; do srv; done" + stays},
		{"(cd /; srv)", "(cd /; exec srv)" + stays},
		{"! srv", "! srv" + stays},
		{"time srv", "time srv" + stays},
		{"$CMD x", "$CMD x" + stays},
		{"cd / && $CMD", "cd / && $CMD" + stays},
		{"f() { srv; }; f", "f() { srv; }; f" + stays},
		{"command srv", "command srv" + stays},
		{"eval srv", "eval srv" + stays},
		{"trap 'rm x' EXIT; srv", "trap 'rm x' EXIT; srv" + stays},
		{"trap '' HUP; srv", "trap '' HUP; srv" + stays},
		{"case x in x) a;& y) b;; esac", "case x in x) a;& y) exec b;; esac" + stays},

		{"trap 'kill $P' TERM; srv & P=$!; wait", "trap 'kill $P' TERM; srv & P=$!; wait"},
		{"trap : sigterm; X=1 srv", "trap : sigterm; X=1 srv"},
		{"trap : $SIGNALS; X=1 srv", "trap : $SIGNALS; X=1 srv"},
		{"cd /", "cd /"},
		{"A=1", "A=1"},
		{`a "b`, `a "b`},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			p := planLine(tt.line)
			got := p.text
			if p.forwards {
				got += stays
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNeedsBash(t *testing.T) {
	tests := []struct{ line, want string }{
		{"source env.sh && run", "source"},
		{"a & b & wait -n", "wait -n"},
		{"run <<<x", "<<<"},
		{"echo {1..3}", "{a,b} or {1..3}"},
		{"echo {a,b}c", "{a,b} or {1..3}"},
		{"run $'a\\n'", "$'...'"},
		{`run $"a"`, `$"..."`},
		{"[[ -f x ]] && run", "[[ ]]"},
		{"A=(1 2); run ${A[0]}", "arrays"},
		{"run <(echo)", "<( )"},
		{"run > >(tee x)", "<( )"},
		{"((A++)); run", "(( ))"},
		{"for ((i=0;i<3;i++)); do run; done", "for (( ))"},
		{"function f { run; }; f", "function"},
		{"run &> log", "&>"},
		{"run &>> log", "&>"},
		{"run |& tee", "|&"},
		{"A+=b run", "+="},
		{"run ${A:1:2}", "${NAME:0:1}"},
		{"run ${A/b/c}", "${NAME/A/B}"},
		{"run ${A,,}", "${NAME^}"},
		{"run ${!A}", "${!NAME}"},
		{"set -eo pipefail; a | b", "set -o pipefail"},
		{"declare -x A=1; run", "declare"},
		{"shopt -s globstar; run", "shopt"},
		{"pushd x; run; popd", "pushd"},
		{"source a; [[ b ]]", "source, [[ ]]"},
		{"(cd x; source a)", "source"},

		{"cd / && run 2>&1 | tee", ""},
		{"export A=1; local b; run ${A:-x} ${A#y} ${#A} $((1+1)) $(ls)", ""},
		{"find . -exec rm {} \\;", ""},
		{"xargs -I{} run '{a,b}' \"{1..3}\" *", ""},
		{"set -e; wait; kill %1", ""},
		{"f() { run; }; f", ""},
		{". ./env.sh && run", ""},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			var names []string
			for _, b := range planLine(tt.line).bash {
				names = append(names, b.name)
			}
			if got := strings.Join(names, ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestProbes: bash has each construct, dash has none.
func TestProbes(t *testing.T) {
	for _, b := range bashisms {
		for shell, has := range map[string]bool{"bash": true, "dash": false} {
			err := exec.Command(shells[shell], "-c", `(eval "$1")`, "sh", b.probe).Run()
			if (err == nil) != has {
				t.Errorf("%s: the probe of %s says %v", shell, b.name, err)
			}
		}
	}
}

// TestWithBash runs lines that need bash in images with and without it.
func TestWithBash(t *testing.T) {
	const missing = "this needs bash, which the image does not have: "
	tests := []struct{ line, bash, busybox, dash string }{
		{"[[ a == a ]] && echo yes", "yes", "yes", missing + "[[ ]]; write [ ], or install bash in it"},
		{"source /dev/null; echo yes", "yes", "yes", missing + "source; write . ./FILE, or install bash in it"},
		{"read a <<<yes; echo $a", "yes", missing + "<<<; write printf and a pipe, or install bash in it",
			missing + "<<<; write printf and a pipe, or install bash in it"},
		{"a=(no yes); echo ${a[1]}", "yes", missing + "arrays; install bash in it", missing + "arrays; install bash in it"},
		{"echo $'y\\x65s'", "yes", "yes", missing + "$'...'; use printf, or install bash in it\n$y\\x65s"},
		{"echo {1..3}; exit 3", "1 2 3", missing + "{a,b} or {1..3}; write the words, or install bash in it\n{1..3}",
			missing + "{a,b} or {1..3}; write the words, or install bash in it\n{1..3}"},
	}
	for _, tt := range tests {
		for image, want := range map[string]string{"dash+bash": tt.bash, "busybox": tt.busybox, "dash": tt.dash} {
			t.Run(image+"/"+tt.line, func(t *testing.T) {
				t.Parallel()
				shell, more, _ := strings.Cut(image, "+")
				c := newContainer(t, shell)
				if more != "" {
					c.has(shells[more], more)
				}
				cmd := c.command(tt.line)
				out, _ := cmd.CombinedOutput()
				if got := strings.TrimSpace(string(out)); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if code := cmd.ProcessState.ExitCode(); (code == 2) != (strings.HasPrefix(want, missing) && !strings.Contains(want, "\n")) {
					t.Errorf("exit code %d", code)
				}
			})
		}
	}
}

// TestForwarderKeeps: exit code, standard input and words are the line's.
func TestForwarderKeeps(t *testing.T) {
	for name := range shells {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t, name)
			argv := shell(`cat; srv now; echo "$#" "$@"; exit 7`, false, []string{"one", "two words"})
			cmd := exec.Command(filepath.Join(c.bin, "sh"), argv[1:]...)
			cmd.Env, cmd.Stdin = []string{"PATH=" + c.bin}, strings.NewReader("in ")
			out, _ := cmd.CombinedOutput()
			if got := string(out); got != "in 2 one two words\n" || cmd.ProcessState.ExitCode() != 7 {
				t.Errorf("got %q, exit code %d", got, cmd.ProcessState.ExitCode())
			}
		})
	}
}

func TestOnce(t *testing.T) {
	tests := []struct {
		command  string
		words    []string
		terminal bool
		want     string
	}{
		{"a $PORT", []string{"b c"}, false, "a|5000|b c"},
		{"cd / && a", nil, true, "/bin/sh|-c|cd / && exec a"},
		{"cd / && a", []string{"b c"}, false, `/bin/sh|-c|cd / && exec a "$@"|sh|b c`},
		{"x && a", []string{"b c"}, true, `/bin/sh|-c|x && exec a "$@"|sh|b c`},
		{"x && a", []string{"b c"}, false, "/bin/sh|-c|" + forwarder + `|sh|x && exec a "$@"|b c`},
		{`sh -c "cd / && a"`, nil, false, "sh|-c|cd / && exec a"},
		{`sh -c "cd / && a"`, nil, true, "sh|-c|cd / && a"},
	}
	for _, tt := range tests {
		argv, err := Once(tt.command, tt.words, tt.terminal, lookup)
		if got := strings.Join(argv, "|"); got != tt.want || err != nil {
			t.Errorf("%s %v: got %s, %v, want %s", tt.command, tt.words, got, err, tt.want)
		}
	}
}
