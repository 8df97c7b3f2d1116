package hooks

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		line  string
		words []string // nil: an error
	}{
		{"", []string{}},
		{"  \t ", []string{}},
		{"ps:scale app web=2", []string{"ps:scale", "app", "web=2"}},
		{" a\t b ", []string{"a", "b"}},
		{"git-receive-pack 'app'", []string{"git-receive-pack", "app"}},
		{`a'b c'"d e"f\ g`, []string{"ab cd ef g"}},
		{`''`, []string{""}},
		{`"a\b\\c\$d"`, []string{`a\b\\c\$d`}},
		{`a\"b 'c"d' "e'f"`, []string{`a"b`, `c"d`, "e'f"}},
		{`'$HOME' '` + "`id`" + `'`, []string{"$HOME", "`id`"}},
		{"K='a\nb'", []string{"K=a\nb"}},
		{"*.js ?a [b] ~ {c,d} !e f#g x=~", []string{"*.js", "?a", "[b]", "~", "{c,d}", "!e", "f#g", "x=~"}},
		{"grüß 'ñ'", []string{"grüß", "ñ"}},
		{"a; rm -rf /", []string{"a;", "rm", "-rf", "/"}},
		{"a && b|c & (d) # e", []string{"a", "&&", "b|c", "&", "(d)", "#", "e"}},
		{"a\nb", []string{"a", "b"}},
		{"a $(id) $HOME `id`", []string{"a", "$(id)", "$HOME", "`id`"}},
		{"\"$(id)\" \"`id`\"", []string{"$(id)", "`id`"}},
		{"a >f <(id)", []string{"a", ">f", "<(id)"}},
		{"K=a\\ b\\;c", []string{"K=a b;c"}},
		{"a\\\nb", []string{"a\nb"}},
		{"a 'b", nil},
		{`a "b`, nil},
		{`a\`, nil},
		{"a \x1b[31m", nil},
		{"a '\x00'", nil},
		{"a \"\x7f\"", nil},
		{"a \"\u009b31m\"", nil},
		{"a \\\x07", nil},
		{"a \xff", nil},
	} {
		words, err := splitWords(c.line)
		if (err != nil) != (c.words == nil) || err == nil && !slices.Equal(words, c.words) {
			t.Errorf("splitWords(%q) = %q, %v; want %q", c.line, words, err, c.words)
		}
	}
}

func TestParseRequest(t *testing.T) {
	const root = "/home/dokku"
	for _, c := range []struct{ line, service, app, args, err string }{
		{line: ""},
		{line: "dokku"},
		{line: "git-receive-pack 'app'", service: "receive-pack", app: "app"},
		{line: "git receive-pack 'app'", service: "receive-pack", app: "app"},
		{line: "git-upload-pack '/app.git'", service: "upload-pack", app: "app"},
		{line: "git-receive-pack '~/app/'", service: "receive-pack", app: "app"},
		{line: "git-receive-pack '/home/dokku/app'", service: "receive-pack", app: "app"},
		{line: "git-receive-pack '//home/dokku/app.git'", service: "receive-pack", app: "app"},
		{line: "ps:scale app web=2", args: "ps:scale|app|web=2"},
		{line: "dokku ps:scale app web=2", args: "ps:scale|app|web=2"},
		{line: "config:set app 'K=a b'", args: "config:set|app|K=a b"},

		{line: "git-receive-pack", err: "0 arguments"},
		{line: "git-receive-pack a b", err: "2 arguments"},
		{line: "git-receive-pack --stateless-rpc app", err: "2 arguments"},
		{line: "git-upload-pack '--upload-pack=touch /tmp/x'", err: "not valid"},
		{line: "git-upload-pack -c", err: "not valid"},
		{line: "git-receive-pack '../etc'", err: "not valid"},
		{line: "git-receive-pack 'a/../b'", err: "not valid"},
		{line: "git-receive-pack 'a..b'", err: "not valid"},
		{line: "git-receive-pack '/home/dokku/.ssh'", err: "not valid"},
		{line: "git-receive-pack '/home/dokku'", err: "not valid"},
		{line: "git-receive-pack '/etc/passwd'", err: "not valid"},
		{line: "git-receive-pack ''", err: "not valid"},
		{line: "git-receive-pack '/'", err: "not valid"},
		{line: "git-receive-pack 'App'", err: "not valid"},
		{line: "git-receive-pack '" + strings.Repeat("a", 64) + "'", err: "not valid"},
		{line: "git-receive-pack '$(id)'", err: "not valid"},
		{line: "git-receive-pack 'a\nb'", err: "not valid"},
		{line: "git-receive-pack 'a'; id", err: "2 arguments"},
		{line: "git-receive-pack 'a;id'", err: "not valid"},
		{line: "config:set app K=a&b", args: "config:set|app|K=a&b"},
		{line: "git-upload-archive app", err: "git archive --remote is not served here"},
		{line: "git upload-archive app", err: "git archive --remote is not served here"},
		{line: "git-shell", err: `cannot run git "shell"`},
		{line: "git", args: "git"},
		{line: "git -c core.pager=id log", err: `cannot run git "-c"`},
		{line: "git gc", err: `cannot run git "gc"`},
	} {
		r, err := parseRequest(c.line, root)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("parseRequest(%q): error %v, want one with %q", c.line, err, c.err)
			}
			continue
		}
		if err != nil || r.service != c.service || r.app != c.app || strings.Join(r.args, "|") != c.args {
			t.Errorf("parseRequest(%q) = %+v, %v; want %+v", c.line, r, err, c)
		}
	}
}

// FuzzSplitWords compares with xargs, which Dokku splits with.
func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{"a b", `a'b c'"d\e"\ f`, "a; b|c&d", "$(a) `b` <c >(d)", `"\"`, "a\\\nb", "a\nb", "''", "a\rb", "\r", "a \rb\r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err != nil || strings.TrimLeft(line, " \t\n\r") == "" || strings.Contains(strings.Join(words, ""), "\n") {
			return // xargs runs its command once for nothing, and knows no line ends in quotes
		}
		cmd := exec.Command("xargs", "-n", "1", "printf", `%s\0`)
		cmd.Stdin = strings.NewReader(line)
		out, err := cmd.Output()
		if want := strings.Join(append(words, ""), "\x00"); err != nil || string(out) != want {
			t.Errorf("%q are the words %q, xargs reads %q (%v)", line, words, out, err)
		}
	})
}

func TestShellRunsCommands(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		line, out string
		code      int
	}{
		{"ps:scale app web=2", `["ps:scale","app","web=2"]`, 0},
		{"dokku config:set app 'K=a  b'", `["config:set","app","K=a  b"]`, 0},
		{"", `["help"]`, 0},
		{"exit", "", 7},
		{"ps:scale app; touch " + l.root + "/hacked", `["ps:scale","app;","touch","` + l.root + `/hacked"]`, 0},
		{"ps:scale $(touch " + l.root + "/hacked)", `["ps:scale","$(touch","` + l.root + `/hacked)"]`, 0},
		{"git-receive-pack 'x'; touch " + l.root + "/hacked", " !     ", 1},
		{"git-upload-pack '--upload-pack=touch " + l.root + "/hacked' ", " !     App name", 1},
		{"ps:report \x1b]0;owned\x07", " !     cannot read the command: it contains the control character", 1},
	} {
		args := append(slices.Clone(l.ssh[1:]), l.dest)
		if c.line != "" {
			args = append(args, c.line)
		}
		out, code := l.start(exec.Command("ssh", args...)).wait()
		if code != c.code || !strings.HasPrefix(out, c.out) {
			t.Errorf("ssh %q ends with %d: %q; want %d: %q", c.line, code, out, c.code, c.out)
		}
	}
	if l.exists("hacked") || l.exists("x") {
		t.Error("a shell has run")
	}
}

// Nothing of the client's environment gets through, and nothing of sshd's.
func TestShellEnvironment(t *testing.T) {
	l := newLab(t)
	l.inDNS()
	cmd := exec.Command("ssh", append(slices.Clone(l.ssh[1:]), l.dest, "env")...)
	out := l.start(cmd, "LD_LIBRARY_PATH=/evil", "GIT_DIR=/evil", "DOKKU_ROOT=/evil", "DOKKU_USER=evil", "PATH_X=evil",
		"GIT_PROTOCOL=version=2", "TERM=xterm-256color", "NO_COLOR=evil", "CLICOLOR_FORCE=evil", "GIT_SSH_COMMAND=evil", "BASH_ENV=/evil").succeed()
	var names []string
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		names = append(names, name)
		want := map[string]string{"DOKKU_ROOT": l.root, "DOKKU_USER": "admin", "GIT_PROTOCOL": "version=2", "NO_COLOR": "1", "TERM": "xterm-256color"}[name]
		if want != "" && value != want || strings.Contains(value, "evil") {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	want := []string{"DOKKU_REMOTE", "DOKKU_ROOT", "DOKKU_USER", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_NAME", "GIT_PROTOCOL", "HOME", "LANG",
		"LOGNAME", "NO_COLOR", "PATH", "TERM", "USER"}
	if !slices.Equal(names, want) {
		t.Errorf("the environment is %v, want %v", names, want)
	}
	cmd = exec.Command("ssh", append(slices.Clone(l.ssh[1:]), l.dest, "env")...)
	if out := l.start(cmd, "GIT_PROTOCOL=version=2:$(id)", "TERM=../evil").succeed(); strings.Contains(out, "GIT_PROTOCOL") || strings.Contains(out, "TERM=") {
		t.Errorf("values that are none got through: %s", out)
	}
}
