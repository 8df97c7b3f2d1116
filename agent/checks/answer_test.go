package checks

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"dokku/agent/event"
)

// TestAnswerIsShown: the report of a failed check has the beginning of the answer, escaped.
func TestAnswerIsShown(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, test := range []struct {
		status        int
		content, body string
		want          string
	}{
		{200, "Welcome", "<h1>Hello</h1>\n\x1b[2J", `the answer is "<h1>Hello</h1>\n\x1b[2J"`},
		{200, "Welcome", "", "the answer is empty"},
		{200, "Welcome", long, `the answer is "` + long + `"`},
		{200, "Welcome", long + "x", `the answer begins with "` + long + `"...`},
		{200, "Welcome", "a\xff", `the answer is "a\xff"`},
		{400, "Welcome", "DisallowedHost at /", `the answer is "DisallowedHost at /"`},
		{503, "", "no database", `the answer is "no database"`},
		{299, "", "anything", ""},
		{200, "Hello", "Hello", ""},
	} {
		err := answer(&http.Response{StatusCode: test.status, Body: io.NopCloser(strings.NewReader(test.body))}, test.content)
		if got := (&Failure{Attempts: []AttemptResult{{Err: err}}}).answered(); got != test.want {
			t.Errorf("%d %q: got %s, want %s", test.status, test.body, got, test.want)
		}
	}
}

// TestPrintAnswer: the report prints it once, below the error that it explains.
func TestPrintAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := func(text string) []AttemptResult {
			return []AttemptResult{{Status: 500, Err: statusError{"Internal Server Error", start{[]byte(text)}}}}
		}
		var out printed
		f := &Failure{Target: target("web.1"), Check: Check{Kind: HTTP, URL: "http://localhost/"}, Reason: "500", Attempts: failed("one")}
		f.Also = []*Failure{{Target: target("web.2"), Check: f.Check, Reason: "500", Attempts: failed("two")}}
		f.Print(event.New(&out), "hello", nil)
		want := ` !     web.1 http://localhost/: 500
       the answer is "one"
 !     web.2 http://localhost/: 500
       the answer is "two"
       web.1 printed nothing
 !     Could not start due to 2 failed checks.`
		if out.text() != want {
			t.Errorf("got\n%s", out.text())
		}
	})
}
