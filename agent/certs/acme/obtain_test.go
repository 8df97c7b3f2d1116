package acme_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/certs/acme"
	"dokku/agent/certs/acme/acmetest"
)

func obtain(t *testing.T, c acme.CA, o acme.Order) certs.Pair {
	t.Helper()
	pair, problems, err := c.Obtain(t.Context(), o)
	if err != nil || len(problems) > 0 {
		t.Fatalf("no certificate for all of %q: %v, %v", o.Names, problems, err)
	}
	got, want := certs.Names(pair.Leaf), slices.Clone(o.Names)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("a certificate for %q, want %q", got, want)
	}
	if _, err := tls.X509KeyPair(pair.Chain, pair.Key); err != nil {
		t.Fatal(err)
	}
	return pair
}

// refused is the only problem of an order without a certificate.
func refused(t *testing.T, c acme.CA, o acme.Order, kind string) *acme.Problem {
	t.Helper()
	pair, _, err := c.Obtain(t.Context(), o)
	var p *acme.Problem
	if !errors.As(err, &p) || p.Type != kind || pair.Leaf != nil {
		t.Fatalf("%q: got %#v, %v; want a problem of type %s", o.Names, p, err, kind)
	}
	if len(p.Detail) > 500 || strings.ContainsAny(p.Detail, "\n\r\t\x1b\x00") {
		t.Errorf("no safe line: %q", p.Detail)
	}
	return p
}

func TestObtain(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	if url, err := c.Terms(t.Context()); err != nil || url != "data:text/plain,Do%20what%20thou%20wilt" {
		t.Errorf("terms %q, %v", url, err)
	}
	first := obtain(t, c, acme.Order{Names: []string{"b.obtain.example", "a.obtain.example", "obtain.example"}})
	if len(first.Between) != 1 {
		t.Errorf("a chain with %d certificates between leaf and root, want 1", len(first.Between))
	}
	if k, ok := first.Leaf.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		t.Errorf("a key %T", first.Leaf.PublicKey)
	}
	if first.Leaf.Subject.CommonName != "" {
		t.Errorf("common name %q", first.Leaf.Subject.CommonName)
	}
	// Names in capitals and twice are one name.
	second, problems, err := c.Obtain(t.Context(), acme.Order{Names: []string{"Obtain.example", "obtain.example"}})
	if err != nil || problems != nil || !slices.Equal(certs.Names(second.Leaf), []string{"obtain.example"}) {
		t.Fatalf("got %v, %v", problems, err)
	}
	if string(first.Key) == string(second.Key) {
		t.Error("two certificates have one key")
	}
	if n := a.count("POST /sign-me-up"); n != 1 {
		t.Errorf("registered %d times, want once", n)
	}
}

// One name that cannot be proved costs the others nothing, and is asked for once.
func TestObtainTheRest(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{Blocked: []string{"blocked.rest.example"}})
	c := a.client(t, a.config(t))
	leadNowhere(t, "gone.rest.example")
	pair, problems, err := c.Obtain(t.Context(), acme.Order{Names: []string{
		"a.rest.example", "gone.rest.example", "blocked.rest.example", "b.rest.example", "under_score.rest.example", "*.rest.example"}})
	if err != nil {
		t.Fatal(err)
	}
	names := certs.Names(pair.Leaf)
	if slices.Sort(names); !slices.Equal(names, []string{"a.rest.example", "b.rest.example"}) {
		t.Errorf("a certificate for %q", names)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Name+" "+p.Type)
	}
	slices.Sort(got)
	want := []string{"*.rest.example setup", "blocked.rest.example rejectedIdentifier", "gone.rest.example connection", "under_score.rest.example malformed"}
	if !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if n := a.count("POST /order-plz"); n != 3 {
		t.Errorf("%d orders, want one with the blocked name, one with the name that leads nowhere, one for the rest", n)
	}
	if n := a.count("POST /chalZ/"); n > 5 {
		t.Errorf("%d challenges, want at most 3 and 2: none again for a name that failed", n)
	}
}

func TestObtainNone(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	leadNowhere(t, "a.none.example")
	leadNowhere(t, "b.none.example")
	_, problems, err := c.Obtain(t.Context(), acme.Order{Names: []string{"a.none.example", "b.none.example"}})
	if problems != nil || err == nil || !strings.Contains(err.Error(), "a.none.example: ") || !strings.Contains(err.Error(), "b.none.example: ") {
		t.Errorf("got %v, %v", problems, err)
	}
	a.thumbprint.Store("another")
	p := refused(t, c, acme.Order{Names: []string{"c.none.example"}}, "unauthorized")
	if p.Name != "c.none.example" || !strings.Contains(p.Detail, "another") {
		t.Errorf("got %v", p)
	}
	refused(t, c, acme.Order{}, "malformed")
	refused(t, c, acme.Order{Names: []string{"d.none.example"}, DNSOnly: true}, "setup")
	refused(t, c, acme.Order{Names: []string{"127.0.0.1"}, DNSOnly: true}, "setup")
}

// A CA finds fault with one name when it has checked all, as Let's Encrypt does with CAA:
// it lists the names, or quotes the only one.
func TestFaultOfOneName(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"listed": `{"type":"urn:ietf:params:acme:error:caa","detail":"Rechecking CAA failed","subproblems":[
			{"type":"urn:ietf:params:acme:error:caa","detail":"CAA record for b.fault.example prevents issuance","identifier":{"type":"dns","value":"b.fault.example"}}]}`,
		"quoted": `{"type":"urn:ietf:params:acme:error:caa","detail":"While processing CAA for \"b.fault.example\": CAA record for b.fault.example prevents issuance"}`,
	} {
		a := newCA(t, acmetest.Options{})
		c := a.client(t, a.config(t))
		a.before("/finalize-order/", func(w http.ResponseWriter, _ *http.Request) {
			a.before("/no path", nil)
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, answer)
		})
		pair, problems, err := c.Obtain(t.Context(), acme.Order{Names: []string{"a.fault.example", "b.fault.example"}})
		if err != nil || !slices.Equal(certs.Names(pair.Leaf), []string{"a.fault.example"}) || len(problems) != 1 ||
			problems[0].Name != "b.fault.example" || problems[0].Type != "caa" || !strings.HasSuffix(problems[0].Detail, "CAA record for b.fault.example prevents issuance") {
			t.Errorf("%s: got %v, %v", name, problems, err)
		}
	}
}

// A caller for whom part of a certificate is worth nothing gets all or nothing.
func TestObtainWhole(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	leadNowhere(t, "gone.whole.example")
	p := refused(t, c, acme.Order{Names: []string{"a.whole.example", "gone.whole.example"}, Whole: true}, "connection")
	if n := a.count("POST /order-plz"); p.Name != "gone.whole.example" || n != 1 {
		t.Errorf("%v after %d orders", p, n)
	}
	refused(t, c, acme.Order{Names: []string{"a.whole.example", "not a name"}, Whole: true}, "malformed")
	if n := a.count("POST /order-plz"); n != 1 {
		t.Errorf("%d orders, want none for a name that is none", n)
	}
}

func TestObtainForAddress(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	p := obtain(t, c, acme.Order{Names: []string{"127.0.0.1"}, Profile: "shortlived"})
	if life := p.Leaf.NotAfter.Sub(p.Leaf.NotBefore); life.Round(time.Hour) != 160*time.Hour {
		t.Errorf("valid for %s, want 160 hours", life)
	}
	problem := refused(t, c, acme.Order{Names: []string{"profile.example"}, Profile: "golden"}, "invalidProfile")
	if want := `the CA has no profile "golden": it has classic, shortlived`; problem.Detail != want {
		t.Errorf("got %q, want %q", problem.Detail, want)
	}
}

// Let's Encrypt takes 100 names an order.
func TestObtainTwoHundred(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	for batch := range 2 {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf("n%d.batch%d.example", i, batch))
		}
		obtain(t, c, acme.Order{Names: names})
	}
}

// A CA may reject a nonce at any time, and wants the same request with another one.
func TestBadNonces(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{RejectNonces: 40})
	c := a.client(t, a.config(t))
	obtain(t, c, acme.Order{Names: []string{"nonce.example"}})
}

func TestRenew(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	order := acme.Order{Names: []string{"renew.example"}, Profile: "shortlived"}
	old := obtain(t, c, order)
	w, err := c.Renewal(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	if !w.Start.After(old.Leaf.NotBefore) || !w.End.After(w.Start) || !w.End.Before(old.Leaf.NotAfter) {
		t.Errorf("window %s to %s of a certificate that ends at %s", w.Start, w.End, old.Leaf.NotAfter)
	}
	if again := time.Until(w.Again); again < 5*time.Hour || again > 7*time.Hour {
		t.Errorf("ask again in %s; the CA says 6 hours", again)
	}
	order.Replaces = old.Leaf
	first := obtain(t, c, order)
	// The second one replaces what has been replaced.
	second := obtain(t, c, order)
	if first.Leaf.SerialNumber.Cmp(second.Leaf.SerialNumber) == 0 {
		t.Error("two orders, one certificate")
	}
	if n := a.count("POST /order-plz"); n != 4 {
		t.Errorf("%d orders, want 3 and one again without the certificate that it replaces", n)
	}
	// One of another CA is no reason to fail.
	b := newCA(t, acmetest.Options{})
	other := b.client(t, b.config(t))
	obtain(t, other, order)
	self, err := certs.SelfSigned([]string{"renew.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Renewal(t.Context(), self); !errors.Is(err, acme.ErrNoRenewalInfo) {
		t.Errorf("a self-signed certificate: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	c := a.client(t, a.config(t))
	revoked := func(p certs.Pair) bool {
		w := httptest.NewRecorder()
		a.admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/cert-status-by-serial/%x", p.Leaf.SerialNumber), nil))
		return strings.Contains(w.Body.String(), `"Status":"Revoked"`) || strings.Contains(w.Body.String(), `"Status": "Revoked"`)
	}
	p := obtain(t, c, acme.Order{Names: []string{"revoke.example"}})
	if revoked(p) {
		t.Fatal("the CA calls a new certificate revoked")
	}
	for range 2 { // the second time it is revoked already
		if err := c.Revoke(t.Context(), p); err != nil || !revoked(p) {
			t.Fatalf("not revoked: %v", err)
		}
	}
	// Another account revokes with the certificate's key.
	p = obtain(t, c, acme.Order{Names: []string{"revoke.example"}})
	if err := a.client(t, a.config(t)).Revoke(t.Context(), p); err != nil || !revoked(p) {
		t.Errorf("by another account: %v", err)
	}
}
