package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/scale"
)

// TestLaunch: herokuish's own programs start the processes of its images, and every word
// of a command arrives.
func TestLaunch(t *testing.T) {
	procs, err := scale.ParseProcfile([]byte("web: npm start\nown: /cnb/process/own\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		builder, typ string
		start        []string
		exec         []string
	}{
		{"herokuish", "web", []string{"/start", "web"}, []string{"/exec", "rake", "db:migrate"}},
		{"herokuish", "clock", nil, []string{"/exec", "rake", "db:migrate"}},
		{"dockerfile", "web", nil, []string{"rake", "db:migrate"}},
		{"pack", "web", []string{"/cnb/lifecycle/launcher", "npm start"}, []string{"/cnb/lifecycle/launcher", "--", "rake", "db:migrate"}},
		{"pack", "clock", nil, []string{"/cnb/lifecycle/launcher", "--", "rake", "db:migrate"}},
		{"pack", "own", []string{"/cnb/process/own"}, []string{"/cnb/lifecycle/launcher", "--", "rake", "db:migrate"}},
		{"", "web", nil, []string{"rake", "db:migrate"}}, // a release of an older version
	} {
		r := &Release{Builder: c.builder, Control: Control{Procfile: procs}}
		if got, ok := r.Start(c.typ); !slices.Equal(got.Argv(), c.start) || ok != (c.start != nil) {
			t.Errorf("%s: start %s is %q", c.builder, c.typ, got)
		}
		if got := r.Exec([]string{"rake", "db:migrate"}); !slices.Equal(got.Argv(), c.exec) {
			t.Errorf("%s: exec is %q", c.builder, got)
		}
	}
	r := &Release{Builder: "herokuish"}
	if got := r.Exec(nil).Argv(); got != nil {
		t.Errorf("no command is %q", got)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".profile"), []byte("export FROM_PROFILE=yes\nfalse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	words := []string{"printf", "<%s>", "a b", "", "$HOME", `"x"'y'`, "*", "l\nm"}
	argv := r.Exec(slices.Concat([]string{"sh", "-c", `echo $FROM_PROFILE; exec "$@"`, "sh"}, words)).Argv()
	for n := range argv { // /app is not on this machine
		argv[n] = strings.ReplaceAll(argv[n], "/app", dir)
	}
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if want := "yes\n<a b><><$HOME><\"x\"'y'><*><l\nm>"; err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
	if got := fmt.Sprint(r.Exec([]string{"echo", "a b"}).Argv()[0:2]); got != "[/bin/sh -c]" {
		t.Errorf("a word with a blank is run by %s", got)
	}
}
