package scale

import "testing"

func TestShellReason(t *testing.T) {
	for command, want := range map[string]string{
		"a && b": "&&", "a | b": "|", "a; b": ";", "a &": "&", "! a": "!", "a 2>&1": ">&", "a < b": "<",
		"a $(b)": "$(b)", "a *.js": "*.js", "cd x": "cd", "A=1 b": "A=1", "a $UNKNOWN": "$UNKNOWN", `a "$(b)"`: `"$(b)"`,
		"if a; then b; fi": "if", "while a; do b; done": "while", "(a)": "(a)", "{ a; }": "{",
		"a $PORT 'x'": "", "a b:c()": "", `a "b`: "",
	} {
		if got := ShellReason(command, lookup); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
}
