package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWriters writes events once and reads them three times: as a person does
// at a terminal, in the host's log and in the deploy's log.
func TestWriters(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	term := NewTerminal(&out, &errs, false)
	file, err := CreateFile(filepath.Join(dir, "1.log"))
	if err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(dir, "log", "dokku.log")
	log := New(NewHost(host), term).WithApp("shop").WithApp("shop").Tee(file).WithRelease(7)
	log.Step("Building %s", "shop")
	log.Output("npm \x1b[31mred\x1b[0m \x07text")
	log.Warn("one\ntwo")
	log.Timed("build")(errors.New("it failed"))
	log.Detail("http://shop.example.com")
	log.Result("Application deployed")
	term.Close()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	const wantOut = "-----> Building shop\n       npm red text\n       http://shop.example.com\n=====> Application deployed\n"
	const wantErrs = " !     one\n !     two\n"
	if out.String() != wantOut || errs.String() != wantErrs {
		t.Errorf("terminal:\n%s%swant\n%s%s", out.String(), errs.String(), wantOut, wantErrs)
	}
	lines := readLines(t, host)
	if len(lines) != 6 {
		t.Fatalf("%d events in the host's log, want 6 (output is left out):\n%s", len(lines), strings.Join(lines, "\n"))
	}
	var e struct {
		App, Step, Error string
		Release          int
		Duration         *float64
	}
	if err := json.Unmarshal([]byte(lines[3]), &e); err != nil {
		t.Fatal(err)
	}
	if e.App != "shop" || e.Release != 7 || e.Step != "build" || e.Error != "it failed" || e.Duration == nil {
		t.Errorf("the step is logged as %s", lines[3])
	}
	if n := strings.Count(lines[0], `"app"`); n != 1 {
		t.Errorf("the app is named %d times: %s", n, lines[0])
	}
	all := strings.Join(readLines(t, filepath.Join(dir, "1.log")), "\n")
	for _, want := range []string{"-----> Building shop", "npm red text", " !     two", "(build took", "it failed"} {
		if !strings.Contains(all, want) {
			t.Errorf("the deploy's log lacks %q:\n%s", want, all)
		}
	}
	if fi, err := os.Stat(host); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the host's log: %v, %v", fi, err)
	}
}

func readLines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// TestHostSurvivesRotation moves the log away, as logrotate does.
func TestHostSurvivesRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dokku.log")
	log := New(NewHost(path))
	log.Step("before")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	log.Step("after")
	if got := readLines(t, path); len(got) != 1 || !strings.Contains(got[0], "after") {
		t.Errorf("the new log holds %q", got)
	}
}

// TestStalledReader writes more than anybody reads: nothing waits, and what was
// decided is not lost among the output.
func TestStalledReader(t *testing.T) {
	stalled := make(chan struct{})
	r := &slowWriter{wait: stalled}
	term := NewTerminal(r, r, false)
	log := New(term)
	for range 3 * queued {
		log.Output("a line of a build")
	}
	close(stalled)
	term.Close()
	if got := strings.Count(r.buf.String(), "a line"); got == 0 || got > queued+1 {
		t.Errorf("%d lines of %d were passed on", got, 3*queued)
	}
}

type slowWriter struct {
	wait chan struct{}
	buf  bytes.Buffer
}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-w.wait
	return w.buf.Write(p)
}

// TestLimit passes on Limit bytes of output and then warnings only.
func TestLimit(t *testing.T) {
	var out bytes.Buffer
	term := NewTerminal(&out, &out, false)
	term.written = Limit
	log := New(term)
	log.Output("too much")
	log.Warn("rejected")
	term.Close()
	if out.String() != " !     rejected\n" {
		t.Errorf("printed %q", out.String())
	}
}

func TestQuiet(t *testing.T) {
	var out, errs bytes.Buffer
	term := NewTerminal(&out, &errs, true)
	log := New(term)
	log.Step("step")
	log.Detail("detail")
	log.Output("data")
	log.Warn("warning")
	term.Close()
	if out.String() != "       data\n" || errs.String() != " !     warning\n" {
		t.Errorf("printed %q and %q", out.String(), errs.String())
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext":                "plain\ttext",
		"\x1b[2J\x1b[1;31mx\x1b[0m":  "x",
		"\x1b]0;title\x07x":          "x",
		"\x1b]8;;http://a\x1b\\x":    "x",
		"\x1bPq#0\x1b\\x":            "x",
		"a\rb\x00c\x7f":              "abc",
		"\u009b31mx":                 "31mx",
		"\xff\xfe":                   "\ufffd\ufffd",
		"h\u00e9llo \u4e16":          "h\u00e9llo \u4e16",
		"\x1b":                       "",
		"\x1b[":                      "",
		"a\u202eb\u2066c\u200fd":     `a\u202eb\u2066c\u200fd`,
		"a\u200bb\ufeffc\u2028d":     `a\u200bb\ufeffc\u2028d`,
		"\U0001f469\u200d\U0001f4bb": "\U0001f469\u200d\U0001f4bb",
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrintableJSON(t *testing.T) {
	in := "{\"a\": \"\u009b31m\u202ex\x7f\", \"b\": \"é\\u001b\"}"
	want := `{"a": "\u009b31m\u202ex\u007f", "b": "é\u001b"}`
	if got := string(PrintableJSON([]byte(in))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPrintableLines(t *testing.T) {
	in := "one\x1b[31m\r\n\x1b]0;never ended\n\n 10 %\r100 %\nb\x07\n"
	if got, want := PrintableLines(in), "one\n\n\n100 %\nb\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[31mx\x1b]0;t\x07")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Printable(s) {
			if r < ' ' && r != '\t' || r >= 0x7f && r <= 0x9f {
				t.Errorf("Printable(%q) lets %U through", s, r)
			}
		}
	})
}

// TestHiding: a secret is hidden wherever it stands, the longer one first, and by every log that
// comes from this one.
func TestHiding(t *testing.T) {
	var out bytes.Buffer
	term := NewTerminal(&out, &out, false)
	path := filepath.Join(t.TempDir(), "1.log")
	file, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l := New(term).Hiding([]string{"word", "password"}).WithApp("hello").Tee(file)
	l.Output("a password, the word")
	l.Step("word\nwords")
	term.Close()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "       a ****, the ****\n-----> ****\n-----> ****s\n"; out.String() != want {
		t.Errorf("the terminal has\n%swant\n%s", out.String(), want)
	}
	if text := string(data); strings.Contains(text, "word") || !strings.Contains(text, "a ****, the ****") {
		t.Errorf("the file has\n%s", text)
	}
}
