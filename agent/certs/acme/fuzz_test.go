package acme

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// FuzzAnswer: whatever a CA, or something in its place, answers becomes one safe line, and no wait is
// longer than a month.
func FuzzAnswer(f *testing.F) {
	problem, _ := json.Marshal(map[string]any{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many \x1b[2J\u202e certificates", "instance": "https://ca/\x07",
		"subproblems": []map[string]any{{"type": "x", "detail": strings.Repeat("é", 400), "identifier": map[string]string{"type": "dns", "value": "a\x1b.com"}}}})
	f.Add(429, "application/problem+json", "90", "", problem)
	f.Add(500, "text/html; charset=\x1b", "Wed, 21 Oct 2099 07:28:00 GMT", "x", []byte("<html>"))
	f.Add(200, "text/html", "-1", "", []byte("null"))
	f.Add(400, "", "99999999999999999999", "", []byte(`{"type":"urn:ietf:params:acme:error:userActionRequired","instance":"`+strings.Repeat("a", 2000)+`"}`))
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	c := New(Config{Now: func() time.Time { return now }})
	req := &http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "ca.example.com"}}
	f.Fuzz(func(t *testing.T, status int, kind, after, date string, body []byte) {
		resp := &http.Response{StatusCode: status, Status: strconv.Itoa(status), Header: http.Header{"Content-Type": {kind}, "Retry-After": {after}, "Date": {date}}}
		err := c.refused(req, resp, body)
		if err == nil {
			if status >= 400 && !strings.Contains(string(body), "badNonce") && !strings.Contains(string(body), "alreadyReplaced") && !strings.Contains(string(body), `\u`) {
				t.Errorf("the answer %d with %q is no refusal", status, body)
			}
			return
		}
		p := problemOf(err)
		if p.Detail == "" || len(p.Detail) > maxDetail || p.Type == "" || !utf8.ValidString(p.Error()) ||
			strings.ContainsFunc(p.Error(), func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%d %q: %q", status, body, p.Error())
		}
		if p.Until.After(now.Add(maxRetryAfter)) || !p.Until.IsZero() && p.Until.Before(now) {
			t.Errorf("%q after %q: not before %s", after, date, p.Until)
		}
	})
}
