package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"dokku/agent/event"
)

var took = regexp.MustCompile(`in [0-9.]+m?s`)

func TestGatePrints(t *testing.T) {
	var out printed
	targets := []Target{serving(t, "web.1", says("Welcome!")), serving(t, "web.2", says("Welcome!"))}
	if err := Gate(t.Context(), planFor(t, "/ Welcome", "web"), targets, &host{}, event.New(&out)); err != nil {
		t.Fatal(err)
	}
	want := []string{"-----> Running pre-flight checks: CHECKS, 2 checks for web",
		`       web.1 http://localhost/ => "Welcome"             200 in Xms`,
		`       web.2 http://localhost/ => "Welcome"             200 in Xms`,
		"-----> All checks successful!"}
	got := strings.Split(took.ReplaceAllString(out.text(), "in Xms"), "\n")
	if len(got) == 4 && got[1] > got[2] {
		got[1], got[2] = got[2], got[1]
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// TestAnswers judges one answer of a process per case; the budget is one second.
func TestAnswers(t *testing.T) {
	const quick = "WAIT=1\nATTEMPTS=1\nTIMEOUT=1\n"
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" && r.Header.Get("X-Forwarded-Proto") == "" {
				http.Redirect(w, r, to, http.StatusFound)
				return
			}
			w.Write([]byte(r.Host + r.URL.Path))
		}
	}
	tests := []struct {
		name, checks string
		handler      http.HandlerFunc
		want         string // the reason of the failure; "": passes
	}{
		{"200", "/", says(""), ""},
		{"204", "/", status(204), ""},
		{"text", "/ b c", says("a b c d"), ""},
		{"text in the second chunk", "/ wanted", says(strings.Repeat("x", 70<<10) + "wanted"), ""},
		{"Host of the line", "//a.example/ Host=a.example", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Host=", r.Host) }, ""},
		{"Host by default", "/ Host=localhost.", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Host=", r.Host, ".") }, ""},
		{"query", "/a?b=c /a?b=c", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL) }, ""},
		{"relative redirect", "/ localhost/in", redirect("/in"), ""},
		{"absolute redirect", "//a.example/ A.example/in", redirect("http://A.example/in"), ""},
		{"redirect to a domain of the app", "/ www.b.example/in", redirect("http://www.b.example/in"), ""},
		{"redirect to https", "//a.example/ a.example/", redirect("https://a.example/"), ""},

		{"404", "/", status(404), "404 in Xms: Not Found"},
		{"500", "/", status(500), "500 in Xms: Internal Server Error"},
		{"304", "/", status(304), "304 in Xms: Not Modified"},
		{"no text", "/ x", says("y"), `200 in Xms: the answer does not hold "x"`},
		{"text is literal", "/ a.c", says("abc"), `200 in Xms: the answer does not hold "a.c"`},
		{"redirect away", "/", redirect("http://evil.example/x"), "302 in Xms: redirects to http://evil.example/x, which is not this app"},
		{"redirect to a file", "/", redirect("file:///etc/passwd"), "302 in Xms: redirects to file:///etc/passwd, which is not this app"},
		{"loop", "/a", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a", http.StatusFound) }, "more than 10 redirects, the last one to http://localhost/a"},
		{"hangs up", "/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection was closed without an answer"},
		{"breaks off", "/ x", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("y"))
		}, "200 in Xms: the answer breaks off: the connection was closed without an answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := planFor(t, quick+tt.checks, "web")
			plan.Domains = []string{"*.b.example"}
			err := Gate(t.Context(), plan, []Target{serving(t, "web.1", tt.handler)}, &host{}, event.Log{})
			if err == nil || tt.want == "" {
				if err != nil || tt.want != "" {
					t.Fatalf("got %v, want %q", err, tt.want)
				}
				return
			}
			if got := took.ReplaceAllString(failure(t, err).Reason, "in Xms"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestRequestsGoStraight: the connection goes to the process, whatever host a check names, and
// every request has its own.
func TestRequestsGoStraight(t *testing.T) {
	var header http.Header
	tg := serving(t, "web.1", func(w http.ResponseWriter, r *http.Request) { header = r.Header })
	tg.HasTLS = true
	plan := planFor(t, "//public.example/", "web")
	var dialled []string
	plan.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	if err := Gate(t.Context(), plan, []Target{tg}, &host{}, event.Log{}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[%s:%d]", tg.Address, tg.Port); fmt.Sprint(dialled) != want {
		t.Errorf("dialled %v, want %s", dialled, want)
	}
	if header.Get("X-Forwarded-Proto") != "https" || header.Get("Connection") != "close" {
		t.Errorf("header is %v", header)
	}
}

func TestSearchAcrossReads(t *testing.T) {
	for _, text := range []string{"wanted", strings.Repeat("w", 40<<10) + "wanted", "xwantwantedy"} {
		if _, found, err := search(iotest.OneByteReader(strings.NewReader(text)), []byte("wanted")); !found || err != nil {
			t.Errorf("not found in %d bytes: %v", len(text), err)
		}
	}
	if read, found, _ := search(strings.NewReader("wante"), []byte("wanted")); found || read != 5 {
		t.Errorf("found in %d bytes", read)
	}
}

func TestDefaultCheckNeedsOnlyAConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out printed
	tg := at("web.1", l.Addr())
	if err := Gate(t.Context(), planFor(t, "", "web"), []Target{tg}, &host{}, event.New(&out)); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("-----> Running pre-flight checks: default, for web\n       %-48s in Xms\n-----> All checks successful!",
		fmt.Sprintf("web.1 accepts connections on port %d", tg.Port))
	if got := took.ReplaceAllString(out.text(), "in Xms"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNothingToCheck(t *testing.T) {
	settings := Defaults()
	settings.SkipAll, settings.Origin["skip-all"] = true, "app config"
	plan, _, err := NewPlan(Inputs{Types: []string{"web"}, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	var out printed
	h := &host{err: errors.New("not to be asked")}
	if err := Gate(t.Context(), plan, []Target{target("web.1")}, h, event.New(&out)); err != nil {
		t.Fatal(err)
	}
	if want := "-----> Skipping pre-flight checks: for web (skip-all of app config)"; out.text() != want {
		t.Errorf("got %s", out.text())
	}
}

// exec answers commands from a list of exit codes; the last one stays.
type exec struct{ codes []int }

func (e *exec) Exec(_ context.Context, _ string, argv []string) ([]byte, int, error) {
	code := e.codes[0]
	if len(e.codes) > 1 {
		e.codes = e.codes[1:]
	}
	return []byte("starting\nnot " + argv[0] + "\n"), code, nil
}

func TestEnded(t *testing.T) {
	tg := target("web.1")
	later := tg.Started.Add(1500 * 1e6)
	tests := []struct {
		in   Process
		want string
	}{
		{Process{Status: StatusRunning}, ""},
		{Process{Status: StatusCreated}, ""},
		{Process{Status: StatusExited, ExitCode: 3, Finished: later}, "exited with code 3 after 1.5s"},
		{Process{Status: StatusExited}, "exited with code 0"},
		{Process{Status: StatusRunning, OOMKilled: true}, "ran out of memory"},
		{Process{Status: StatusExited, OOMKilled: true, ExitCode: 137, Finished: later}, "ran out of memory after 1.5s"},
		{Process{Status: StatusRunning, Restarts: 1, ExitCode: 1}, "exited with code 1 and was restarted"},
		{Process{Status: StatusRestarting, ExitCode: 1}, "exited with code 1 and was restarted"},
		{Process{Status: StatusRemoving}, "was removed"},
		{Process{Status: StatusPaused}, "is paused"},
	}
	for _, tt := range tests {
		if got := ended(tg, tt.in); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.in, got, tt.want)
		}
	}
	tg.Restarts = 4
	if got := ended(tg, Process{Status: StatusRunning, Restarts: 4}); got != "" {
		t.Errorf("restarted before: %q", got)
	}
}
