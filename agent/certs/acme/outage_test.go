package acme_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/certs/acme"
	"dokku/agent/certs/acme/acmetest"
)

var wanted = acme.Order{Names: []string{"outage.example"}}

// document answers with an error document of a CA.
func document(status int, kind, detail string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail})
	}
}

func page(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		io.WriteString(w, "<html>\n<h1>Sign in to the hotel's network</h1>")
	}
}

// Whatever stands in for the CA's answer, and at whatever request: one clear problem, and
// no second order.
func TestOutage(t *testing.T) {
	t.Parallel()
	hour := func(p *acme.Problem) bool { d := time.Until(p.Until); return d > 59*time.Minute && d <= time.Hour }
	for name, test := range map[string]struct {
		path   string
		answer http.HandlerFunc
		kind   string
		detail string
		until  func(*acme.Problem) bool
	}{
		"a page instead of the directory": {"/dir", page(200), "unreachable", "answers with text/html instead of an answer of a CA (HTTP 200)", nil},
		"a proxy's error":                 {"/dir", page(502), "unreachable", "(HTTP 502)", nil},
		"a proxy's error with a time":     {"/order-plz", page(503, "Retry-After", "3600"), "unreachable", "(HTTP 503)", hour},
		"a limit without a document":      {"/order-plz", page(429, "Retry-After", "3600"), "rateLimited", "allows no more requests", hour},
		"an empty answer":                 {"/order-plz", func(http.ResponseWriter, *http.Request) {}, "unreachable", "makes no sense", nil},
		"another JSON":                    {"/order-plz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); io.WriteString(w, `"no"`) }, "unreachable", "(HTTP 500)", nil},
		"a cut connection":                {"/order-plz", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unreachable", "cannot be reached", nil},
		"an endless answer":               {"/dir", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 2<<20)) }, "unreachable", "more than 1048576 bytes", nil},
		"a rate limit": {"/order-plz", document(429, "rateLimited", `too many certificates already issued for "example"`, "Retry-After", "3600"),
			"rateLimited", `too many certificates already issued for "example"`, hour},
		"a rate limit of the name": {"/order-plz", document(429, "rateLimited", `too many failed authorizations (5) for "outage.example" in the last 1h0m0s`, "Retry-After", "3600"),
			"rateLimited", "too many failed authorizations", hour},
		"a rate limit by date": {"/order-plz", document(429, "rateLimited", "slow down", "Retry-After", "Mon, 01 Jan 2001 01:00:00 GMT", "Date", "Mon, 01 Jan 2001 00:00:00 GMT"),
			"rateLimited", "slow down", hour},
		"a rate limit of checks":     {"/chalZ/", document(429, "rateLimited", "slow down", "Retry-After", "3600"), "rateLimited", "slow down", hour},
		"nonsense for a time":        {"/order-plz", document(429, "rateLimited", "slow down", "Retry-After", "soon"), "rateLimited", "slow down", nil},
		"overloaded":                 {"/order-plz", document(503, "rateLimited", "Service busy; retry later.", "Retry-After", "3600"), "rateLimited", "Service busy; retry later.", hour},
		"an internal error":          {"/finalize-order/", document(500, "serverInternal", "Error finalizing order"), "serverInternal", "Error finalizing order", nil},
		"a bad request to sign":      {"/finalize-order/", document(400, "badCSR", "weak key"), "badCSR", "weak key", nil},
		"new terms":                  {"/order-plz", termsChanged, "userActionRequired", "agree to the CA's new terms at https://ca.example/terms: Terms of service have changed", nil},
		"a bad contact":              {"/sign-me-up", document(400, "invalidContact", "no MX for example"), "invalidContact", "no MX for example", nil},
		"control characters":         {"/order-plz", document(403, "unauthorized", "a\x1b[31m\nred\u202e line "+strings.Repeat("é", 900)), "unauthorized", `a red\u202e line é`, nil},
		"a type that is no word":     {"/order-plz", document(403, "evil\u001b type", "no"), "malformed", "no", nil},
		"no reason":                  {"/order-plz", document(403, "unauthorized", ""), "unauthorized", "the CA gave no reason (HTTP 403)", nil},
		"an account without a place": {"/sign-me-up", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"status":"valid"}`) }, "unreachable", "did not say where", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newCA(t, acmetest.Options{})
			c := a.client(t, a.config(t))
			a.before(test.path, test.answer)
			p := refused(t, c, wanted, test.kind)
			if !strings.Contains(p.Detail, test.detail) {
				t.Errorf("got %q, want %q in it", p.Detail, test.detail)
			}
			if test.until == nil && !p.Until.IsZero() || test.until != nil && !test.until(p) {
				t.Errorf("not before %s", p.Until)
			}
			if n := a.count(test.path); n != 1 {
				t.Errorf("%d requests to %s", n, test.path)
			}
			a.before("/no path", nil)
			obtain(t, c, wanted)
		})
	}
}

func termsChanged(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(403)
	io.WriteString(w, `{"type":"urn:ietf:params:acme:error:userActionRequired","detail":"Terms of service have changed","instance":"https://ca.example/terms"}`)
}

// The limit of one name is that of the one name.
func TestLimitOfOneName(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	a.before("/order-plz", func(w http.ResponseWriter, r *http.Request) {
		a.before("/no path", nil)
		document(429, "rateLimited", `too many failed authorizations (5) for "b.limit.example" in the last 1h0m0s`, "Retry-After", "60")(w, r)
	})
	pair, problems, err := c.Obtain(t.Context(), acme.Order{Names: []string{"a.limit.example", "b.limit.example", "c.limit.example"}})
	if err != nil || len(certs.Names(pair.Leaf)) != 2 || len(problems) != 1 || problems[0].Name != "b.limit.example" || problems[0].Until.IsZero() {
		t.Errorf("got %v, %v", problems, err)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	config := a.config(t)
	c := a.client(t, config)
	a.Close()
	if p := refused(t, c, wanted, "unreachable"); !strings.Contains(p.Detail, "cannot be reached: dial tcp") {
		t.Errorf("got %v", p)
	}
	var p *acme.Problem
	if _, err := c.Terms(t.Context()); !errors.As(err, &p) {
		t.Errorf("got %v", err)
	}
	config.Directory = "http://ca.example/dir"
	refused(t, a.client(t, config), wanted, "setup")
}

// A CA that takes requests and never answers costs the time limit of one request.
func TestHanging(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/dir", "/order-plz", "/chalZ/", "/authZ/", "/finalize-order/"} {
		a := newCA(t, acmetest.Options{})
		config := a.config(t)
		config.Timeout = time.Second
		c := a.client(t, config)
		hang := func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() }
		a.before(path, hang)
		start := time.Now()
		if p := refused(t, c, wanted, "unreachable"); !strings.Contains(p.Detail, "does not answer within 1s") {
			t.Errorf("got %v", p)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: it took %s", path, took)
		}
		// The caller has less patience. lego asks for the directory without a context.
		config.Timeout = time.Hour
		gone := errors.New("the caller is gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		a.before(path, func(w http.ResponseWriter, r *http.Request) { cancel(gone); hang(w, r) })
		if _, _, err := a.client(t, config).Obtain(ctx, wanted); !errors.Is(err, gone) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// The end of the context ends waiting for the CA's checks.
func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	a.before("/authZ/", func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 3 {
			cancel()
		}
		w.Header().Set("Replay-Nonce", "nonce")
		fmt.Fprintf(w, `{"status":"pending","identifier":{"type":"dns","value":"outage.example"},"challenges":[{"type":"http-01","url":"https://%s/chal","token":"t"}]}`, r.Host)
	})
	a.front.Store(both(a, "/chal", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"status":"processing"}`) }))
	if _, _, err := c.Obtain(ctx, wanted); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// both answers one more path in the CA's place.
func both(a *authority, path string, f http.HandlerFunc) front {
	former := a.front.Load().(front)
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == path {
			f(w, r)
			return true
		}
		return former(w, r)
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	config := a.config(t)
	good := config.Bundle
	for name, test := range map[string]struct {
		bundle string
		kind   string
		detail string
	}{
		"the system's roots": {"", "unreachable", "for a private CA, set ca-bundle"},
		"no file":            {filepath.Join(t.TempDir(), "none.pem"), "setup", "cannot read the CA bundle: open "},
		"no PEM":             {write(t, "text"), "setup", "has no certificate in PEM"},
		"another root":       {write(t, selfSigned(t)), "unreachable", "is signed by none of the roots in the CA bundle "},
	} {
		config.Bundle = test.bundle
		if p := refused(t, a.client(t, config), wanted, test.kind); !strings.Contains(p.Detail, test.detail) {
			t.Errorf("%s: got %v", name, p)
		}
	}
	config.Bundle = good
	config.Directory = strings.Replace(config.Directory, "127.0.0.1", "localhost", 1)
	if p := refused(t, a.client(t, config), wanted, "unreachable"); !strings.Contains(p.Detail, "shows a certificate for another name") {
		t.Errorf("got %v", p)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func selfSigned(t *testing.T) string {
	t.Helper()
	p, err := certs.SelfSigned([]string{"other.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Leaf.Raw}))
}

func TestWrongClock(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	config := a.config(t)
	// Outside of the life of the certificate of the CA's web server.
	config.Now = func() time.Time { return time.Date(1969, 6, 1, 12, 30, 0, 0, time.UTC) }
	p := refused(t, a.client(t, config), wanted, "clock")
	if !strings.Contains(p.Detail, "and this server's clock says 1969-06-01 12:30 UTC: set the clock") {
		t.Errorf("got %v", p)
	}
	// Inside of it, and before that of the new certificate.
	config.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) }
	if p := refused(t, a.client(t, config), wanted, "clock"); !strings.HasPrefix(p.Detail, "the new certificate is valid from ") {
		t.Errorf("got %v", p)
	}
}

// One name fails, and then the CA takes no more orders: the error has both.
func TestLimitAfterFailure(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	leadNowhere(t, "gone.after.example")
	var orders atomic.Int32
	former := a.acme
	a.acme = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/order-plz") && orders.Add(1) == 2 {
			document(429, "rateLimited", "slow down", "Retry-After", "3600")(w, r)
			return
		}
		former.ServeHTTP(w, r)
	})
	_, problems, err := c.Obtain(t.Context(), acme.Order{Names: []string{"a.after.example", "gone.after.example"}})
	var p *acme.Problem
	if problems != nil || !errors.As(err, &p) || p.Name != "" || p.Type != "rateLimited" || p.Until.IsZero() || !strings.Contains(err.Error(), "\ngone.after.example: ") {
		t.Errorf("got %v, %v", problems, err)
	}
}
