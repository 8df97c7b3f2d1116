package event

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWanted: who decides about colours.
func TestWanted(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		env      string
		want     bool
	}{
		{true, "TERM=xterm", true},
		{true, "", false}, // as git does
		{true, "TERM=dumb", false},
		{false, "TERM=xterm", false},
		{true, "TERM=xterm NO_COLOR=1", false},
		{true, "TERM=xterm NO_COLOR=0", false}, // any value
		{true, "TERM=xterm NO_COLOR=", true},
		{true, "TERM=xterm CLICOLOR=0", false},
		{true, "TERM=xterm CLICOLOR=1", true},
		{false, "CLICOLOR_FORCE=1", true},
		{false, "FORCE_COLOR=true", true},
		{false, "FORCE_COLOR=0 CLICOLOR_FORCE=0", false},
		{false, "FORCE_COLOR=false", false},
		{false, "FORCE_COLOR=1 TERM=dumb", true},
		{true, "FORCE_COLOR=1 NO_COLOR=1 TERM=xterm", false},
	} {
		env := map[string]string{}
		for pair := range strings.FieldsSeq(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		if got := wanted(c.terminal, func(name string) string { return env[name] }); got != c.want {
			t.Errorf("terminal %v, %q: %v, want %v", c.terminal, c.env, got, c.want)
		}
	}
}

// everything writes an event of every kind.
func everything(log Log) {
	log.Step("Building shop")
	log.PrefixedOutput("  | ", "\x1b[32mgreen\x1b[0m \x1b[2Jtext")
	log.PrefixedOutput("  | ", "10%\r\x1b[K100%")
	log.Output("bare\x1b[1Aup\x07")
	log.Warn("one\ntwo\x1b[31m")
	log.Error("it failed")
	log.Detail("http://shop.example.com \x1b[31m")
	log.Alive("still running RUN make 5.0s")
	log.Result("shop container output:")
	log.Success("Application deployed")
	log.Note("not shown")
}

// TestColours prints the same events with and without colours.
func TestColours(t *testing.T) {
	print := func(out, errs bool, quiet bool) string {
		var o, e bytes.Buffer
		term := NewTerminal(WithColour(&o, out), WithColour(&e, errs), quiet)
		everything(New(term))
		term.Close()
		return o.String() + "--\n" + e.String()
	}
	want := "\x1b[1m-----> Building shop\x1b[0m\n" +
		"         | \x1b[32mgreen\x1b[0m text\x1b[0m\n" +
		"         | 100%\n" +
		"       bareup\n" +
		"       http://shop.example.com \n" +
		"\x1b[2m       still running RUN make 5.0s\x1b[0m\n" +
		"\x1b[1m=====> shop container output:\x1b[0m\n" +
		"\x1b[1;32m=====> Application deployed\x1b[0m\n" +
		"--\n"
	wantErrs := "\x1b[33m !     one\x1b[0m\n\x1b[33m !     two\x1b[0m\n\x1b[31m !     it failed\x1b[0m\n"
	plain := sgrSequence.ReplaceAllString(want, "")
	plainErrs := " !     one\n !     two\n !     it failed\n"
	for _, c := range []struct {
		out, errs bool
		want      string
	}{{true, true, want + wantErrs}, {true, false, want + plainErrs}, {false, true, plain + wantErrs}, {false, false, plain + plainErrs}} {
		if got := print(c.out, c.errs, false); got != c.want {
			t.Errorf("colours %v and %v: printed\n%q\nwant\n%q", c.out, c.errs, got, c.want)
		}
	}
	if got, want := sgrSequence.ReplaceAllString(print(true, true, true), ""), print(false, false, true); got != want {
		t.Errorf("quiet, without its colours:\n%q\nwant\n%q", got, want)
	}
}

// TestLimitCountsText: colours change nothing about what a reader gets at most.
func TestLimitCountsText(t *testing.T) {
	for _, on := range []bool{false, true} {
		var out bytes.Buffer
		term := NewTerminal(WithColour(&out, on), &out, false)
		term.written = Limit - len("-----> fits\n")
		New(term).Step("fits")
		New(term).Step("x")
		term.Close()
		if got := sgrSequence.ReplaceAllString(out.String(), ""); got != "-----> fits\n" {
			t.Errorf("colours %v: printed %q", on, got)
		}
	}
}

// TestLogsArePlain: no log has colours, control characters or signs of life.
func TestLogsArePlain(t *testing.T) {
	dir := t.TempDir()
	file, err := CreateFile(filepath.Join(dir, "1.log"))
	if err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(dir, "dokku.log")
	var out bytes.Buffer
	term := NewTerminal(WithColour(&out, true), WithColour(&out, true), false)
	everything(New(NewHost(host), term).Tee(file))
	term.Close()
	file.Close()
	var all []string
	for _, line := range readLines(t, filepath.Join(dir, "1.log")) {
		_, text, _ := strings.Cut(line, " ")
		all = append(all, text)
	}
	want := "-----> Building shop\n         | green text\n         | 100%\n       bareup\n !     one\n !     two\n !     it failed\n" +
		"       http://shop.example.com \n=====> shop container output:\n=====> Application deployed\n(not shown took 0.0ms)"
	if got := strings.Join(all, "\n"); got != want {
		t.Errorf("the deploy's log is\n%s\nwant\n%s", got, want)
	}
	data, err := os.ReadFile(host)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "still running") || strings.Contains(string(data), "[1m") || strings.Contains(string(data), "green") {
		t.Errorf("the host's log is\n%s", data)
	}
}
