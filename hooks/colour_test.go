package hooks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dokku/agent/deploy"
)

const (
	boldStep  = "\x1b[1m-----> Preparing hello\x1b[0m"
	plainStep = "-----> Preparing hello"
)

// TestPushOptions reads git's push options from the environment.
func TestPushOptions(t *testing.T) {
	env := map[string]string{"GIT_PUSH_OPTION_COUNT": "2", "GIT_PUSH_OPTION_0": "color=never", "GIT_PUSH_OPTION_1": "message=two, three",
		"GIT_PUSH_OPTION_2": "plan"}
	got, err := pushOptions(func(name string) string { return env[name] })
	if want := (deploy.PushOptions{Colour: "never", Message: "two, three"}); got != want || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if got, err := pushOptions(func(string) string { return "" }); got != (deploy.PushOptions{}) || err != nil {
		t.Errorf("without push options: %+v, %v", got, err)
	}
}

// TestPushColours: the push option wins over the app's property, that over the server's.
func TestPushColours(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	server, state := filepath.Join(l.root, ".dokku", "server.json"), filepath.Join(l.root, "hello", "dokku", "state.json")
	must(t, os.MkdirAll(filepath.Dir(server), 0o700))
	must(t, os.MkdirAll(filepath.Dir(state), 0o700))
	for _, c := range []struct {
		server, app string
		options     []string
		want        bool
	}{
		{`{}`, `{}`, nil, false},
		{`{}`, `{}`, []string{"-o", "color"}, true},
		{`{}`, `{}`, []string{"-o", "color=auto"}, false},
		{`{"git":{"color":"always"}}`, `{}`, nil, true},
		{`{"git":{"color":"always"}}`, `{"push_color":"never"}`, nil, false},
		{`{"git":{"color":"always"}}`, `{"push_color":"auto"}`, nil, false},
		{`{}`, `{"push_color":"always"}`, nil, true},
		{`{}`, `{"push_color":"always"}`, []string{"-o", "message=note"}, true},
		{`{}`, `{"push_color":"always"}`, []string{"-o", "color=never"}, false},
		{`{}`, `{"push_color":"always"}`, []string{"-o", "color=auto"}, false},
	} {
		must(t, os.WriteFile(server, []byte(c.server), 0o600))
		must(t, os.WriteFile(state, []byte(c.app), 0o600))
		l.commit(c.server + c.app + strings.Join(c.options, ""))
		out := l.deploy("hello", append(c.options, "main")...)
		want := "remote: " + plainStep
		if c.want {
			want = "remote: " + boldStep
		}
		wantLine(t, out, want)
		if !c.want && strings.Contains(out, "\x1b") {
			t.Errorf("server %s, app %s, %q: the push has colours: %q", c.server, c.app, c.options, out)
		}
	}
}

// TestPushColourErrors: an error is red, a first push follows the server's setting, and an
// option that cannot be read refuses the push.
func TestPushColourErrors(t *testing.T) {
	l := newLab(t)
	must(t, os.MkdirAll(filepath.Join(l.root, ".dokku"), 0o700))
	c := l.push("hello", "-o", "color", "main")
	l.next("Prepare").reply("fail no")
	wantLine(t, c.fail(), "remote: \x1b[31m !     no\x1b[0m")
	must(t, os.WriteFile(filepath.Join(l.root, ".dokku", "server.json"), []byte(`{"git":{"color":"always"}}`), 0o600))
	wantLine(t, l.deploy("hello", "main"), "remote: "+boldStep)
	wantLine(t, l.push("hello", "main").succeed(), "\x1b[1m-----> Git sent nothing new: hello has not been deployed yet\x1b[0m")

	id := l.git("rev-parse", "main")
	l.commit("two")
	wantLine(t, l.push("hello", "-o", "color=pink", "main").fail(), ` !     cannot use the push option "color=pink": it is git push -o color[=always|never|auto]`)
	l.wantTip("hello", id)
	l.quiet()

	plain := l.deploy("hello", "-o", "color=never", "main")
	l.commit("three")
	coloured := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(l.deploy("hello", "main"), "")
	steps := func(out string) (list []string) {
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "remote: ") {
				list = append(list, line)
			}
		}
		return list
	}
	if p, c := strings.Join(steps(plain), ""), strings.Join(steps(coloured), ""); p != c || p == "" {
		t.Errorf("without its colours a push prints\n%s\nwant\n%s", c, p)
	}
}
