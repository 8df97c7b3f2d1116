package machine

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/certs/acme"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/letsencrypt"
)

// setOp is a change of settings that need no route.
var setOp = deploy.Op{Name: "a setting"}

// nowhere is a DNS without any name.
type nowhere struct{}

func (nowhere) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// withCA gives the machine a CA, and the app domains.
func (m *machine) withCA(t *testing.T, domains ...string) *fakeCA {
	t.Helper()
	m.ca = newFakeCA()
	m.domains(t, domains...)
	return m.ca
}

func (m *machine) domains(t *testing.T, domains ...string) {
	t.Helper()
	check(t, m.command(t.Context(), history{}, append([]string{"domains:set", "shop"}, domains...)))
}

// enable runs letsencrypt:enable, and returns what it says.
func (m *machine) enable(ctx context.Context) (string, error) {
	var out bytes.Buffer
	o := &letsencrypt.Orderer{Server: m.server, Resolver: nowhere{}}
	err := o.Enable(ctx, "shop", letsencrypt.Ask{By: "admin"}, event.New(zerolog.SyncWriter(&out)))
	return out.String(), err
}

// covered shows which names the live route has a certificate for.
func (m *machine) covered(t *testing.T) string {
	t.Helper()
	r, ok, err := m.proxy.Live(t.Context(), "shop")
	if check(t, err); !ok {
		t.Fatal("there is no route")
	}
	var list []string
	for _, c := range r.Certificates {
		list = append(list, strings.Join(c.Domains, " "))
	}
	return strings.Join(list, "; ")
}

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("nothing says %q:\n%s", w, text)
		}
	}
}

func TestEnableLetsencrypt(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com", "b.com")
	out, err := m.enable(t.Context())
	check(t, err)
	says(t, out, "Enabling letsencrypt for shop", "This agrees to the terms of service of ca.test: https://ca.test/terms",
		"Getting letsencrypt certificate for shop via HTTP-01", "- Domain 'a.com'", "Certificate retrieved successfully.", "https://a.com")
	if got := ca.made(); got != "a.com b.com" {
		t.Errorf("ordered: %s", got)
	}
	if got := m.covered(t); got != "a.com b.com" {
		t.Errorf("served: %s", got)
	}
	set, err := m.server.Settings()
	check(t, err)
	if a := set.Authorities["https://ca.test/directory"]; a.By != "admin" || a.Terms != "https://ca.test/terms" || a.Agreed.IsZero() {
		t.Errorf("the terms were agreed to by %+v", a)
	}
	if r, _, err := m.proxy.Live(t.Context(), "shop"); err != nil || r.Challenge != thumbprint {
		t.Errorf("the route's challenge is %q, %v", r.Challenge, err)
	}
	out, err = m.enable(t.Context())
	check(t, err)
	says(t, out, "Certificate is still valid for shop, skipping certificate request")
	if got := ca.made(); got != "" {
		t.Errorf("ordered again: %s", got)
	}
}

// TestNameFails: a name that fails costs the others nothing.
func TestNameFails(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com", "b.com")
	ca.fails["b.com"] = acme.Problem{Type: "dns", Detail: "NXDOMAIN looking up A for b.com"}
	out, err := m.enable(t.Context())
	if err == nil || !strings.Contains(err.Error(), "Certificate retrieval failed for shop") {
		t.Errorf("the command ends with %v", err)
	}
	says(t, out, "b.com: NXDOMAIN looking up A for b.com", "b.com has no address in the DNS yet: add ",
		"The agent tries again at ")
	if got := m.covered(t); got != "a.com" {
		t.Errorf("served: %s", got)
	}
	delete(ca.fails, "b.com")
	ca.made()
	_, err = m.enable(t.Context())
	check(t, err)
	if got := ca.made(); got != "a.com b.com" {
		t.Errorf("ordered: %s", got)
	}
	if got := m.covered(t); got != "a.com b.com" {
		t.Errorf("served: %s", got)
	}
}

// TestFailedRenewal: a name for which a renewal fails keeps its certificate as long as that
// is valid.
func TestFailedRenewal(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com", "b.com")
	_, err := m.enable(t.Context())
	check(t, err)
	ca.fails["b.com"] = acme.Problem{Type: "caa", Detail: "CAA record for b.com prevents issuance"}
	o := &letsencrypt.Orderer{Server: m.server, Resolver: nowhere{}}
	if err := o.Enable(t.Context(), "shop", letsencrypt.Ask{By: "admin", Force: true}, event.Log{}); err == nil {
		t.Error("the failure is not reported")
	}
	if got := m.covered(t); got != "a.com; b.com" {
		t.Errorf("served: %s", got)
	}
}

// TestAgentOrders: the agent orders for new names, drops old ones, renews, and grows its
// pauses after failures.
func TestAgentOrders(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com")
	ca.life = 45 * time.Minute
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		ordered := func(about, want string) {
			t.Helper()
			if got := ca.made(); got != want {
				t.Errorf("%s: ordered %q, want %q", about, got, want)
			}
		}
		touch := func(f func(*app.State)) {
			t.Helper()
			check(t, m.server.Update(t.Context(), "shop", setOp, event.Log{}, func(st *app.State) error { f(st); return nil }))
		}
		pass(time.Minute)
		ordered("without anybody's wish", "")
		touch(func(st *app.State) { st.EnableACME(true) })
		pass(20 * time.Second)
		ordered("enabled", "a.com")
		touch(func(st *app.State) { st.Domains = []string{"a.com", "b.com"} })
		pass(20 * time.Second)
		ordered("a new domain", "a.com b.com")
		touch(func(st *app.State) { st.Domains = []string{"b.com"} })
		pass(20 * time.Second)
		ordered("a removed domain", "b.com")
		pass(25 * time.Minute)
		ordered("a good certificate", "")
		ca.mu.Lock()
		ca.life = 24 * time.Hour
		ca.mu.Unlock()
		pass(8 * time.Minute)
		ordered("a third of the life is left", "b.com")
		if got := m.covered(t); got != "b.com" {
			t.Errorf("served: %s", got)
		}

		ca.mu.Lock()
		ca.fails["c.com"] = acme.Problem{Type: "connection", Detail: "timeout"}
		ca.mu.Unlock()
		touch(func(st *app.State) { st.Domains = []string{"b.com", "c.com"} })
		pass(time.Hour)
		ordered("in an hour of failures", "b.com c.com; b.com c.com; b.com c.com")
		if got := m.covered(t); got != "b.com" {
			t.Errorf("beside a failure, served: %s", got)
		}
		ca.mu.Lock()
		delete(ca.fails, "c.com")
		ca.mu.Unlock()
		pass(15 * time.Minute)
		ordered("mended", "b.com c.com")
	})
}

// TestShortLives: certificates of half an hour are renewed as those of ninety days.
func TestShortLives(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "203.0.113.7")
	ca.life = 30 * time.Minute
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		check(t, m.server.Update(t.Context(), "shop", setOp, event.Log{}, func(st *app.State) error { st.EnableACME(true); return nil }))
		pass(time.Minute)
		ca.made()
		pass(100 * time.Minute)
		if n := len(strings.Split(ca.made(), "; ")); n < 5 || n > 6 {
			t.Errorf("%d renewals in 100 minutes", n)
		}
	})
}

// TestAdvice: the CA's word about the time of renewal counts, also when it changes.
func TestAdvice(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com")
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		ca.window.Again = time.Now().Add(15 * time.Minute)
		check(t, m.server.Update(t.Context(), "shop", setOp, event.Log{}, func(st *app.State) error { st.EnableACME(true); return nil }))
		pass(6 * time.Minute)
		ca.made()
		ca.mu.Lock()
		ca.window = acme.Window{Start: time.Now().Add(-time.Hour), End: time.Now().Add(-time.Minute), Again: time.Now().Add(24 * time.Hour)}
		ca.mu.Unlock()
		pass(8 * time.Minute)
		if got := ca.made(); got != "" {
			t.Errorf("before the CA was asked again: %q", got)
		}
		pass(time.Hour) // no certificate is renewed in its first hour
		if got := ca.made(); got != "a.com" {
			t.Errorf("the CA wants a renewal at once, and got %q", got)
		}
	})
}

// TestOutage: a CA that is down is not asked for each app all the time, and all is well
// when it is back.
func TestOutage(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com")
	ca.fails[""] = acme.Problem{Type: acme.TypeUnreachable, Detail: "no answer"}
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		check(t, m.server.Update(t.Context(), "shop", setOp, event.Log{}, func(st *app.State) error { st.EnableACME(true); return nil }))
		pass(time.Hour)
		if n := len(strings.Split(ca.made(), "; ")); n < 4 || n > 8 {
			t.Errorf("it was asked %d times in an hour", n)
		}
		ca.mu.Lock()
		clear(ca.fails)
		ca.mu.Unlock()
		pass(2 * time.Hour)
		if got := m.covered(t); got != "a.com" {
			t.Errorf("served: %q", got)
		}
	})
}

// TestDisabledMeanwhile: letsencrypt:disable wins over an order that is being made.
func TestDisabledMeanwhile(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com")
	o := &letsencrypt.Orderer{Server: m.server}
	ca.during = func() { check(t, o.Disable(t.Context(), "shop", "letsencrypt:disable", event.Log{})) }
	if _, err := m.enable(t.Context()); err == nil || err.Error() != "the certificate is not used: letsencrypt was disabled in the meantime" {
		t.Errorf("the command ends with %v", err)
	}
	if got := m.covered(t); got != "" {
		t.Errorf("served: %q", got)
	}
}

func TestRevoke(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com")
	_, err := m.enable(t.Context())
	check(t, err)
	ca.made()
	check(t, (&letsencrypt.Orderer{Server: m.server}).Revoke(t.Context(), "shop", event.Log{}))
	if got := ca.made(); got != "revoke a.com" {
		t.Errorf("the CA was told %q", got)
	}
	if got := m.covered(t); got != "" {
		t.Errorf("served: %q", got)
	}
}

// TestNoDomainToOrder: what cannot be ordered changes nothing.
func TestNoDomainToOrder(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.withCA(t, "_")
	before, err := m.server.View("shop")
	check(t, err)
	if _, err = m.enable(t.Context()); err == nil || err.Error() != "No domains detected for shop: dokku domains:add shop DOMAIN" {
		t.Errorf("got %v", err)
	}
	after, err := m.server.View("shop")
	check(t, err)
	if after.ACMEEnabled() || before.ACMEEnabled() {
		t.Error("it is enabled")
	}
}

// TestOwnCertificateStays: a certificate of the admin's serves the names for which the CA
// gave none.
func TestOwnCertificateStays(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com", "b.com")
	p, err := certs.SelfSigned([]string{"a.com", "b.com"}, time.Now())
	check(t, err)
	check(t, m.server.SetCertificate(t.Context(), "shop", "certs:add", event.Log{}, &p))
	ca.fails["b.com"] = acme.Problem{Type: "dns", Detail: "no such name"}
	if _, err := m.enable(t.Context()); err == nil {
		t.Error("the failure is not reported")
	}
	if got := m.covered(t); got != "a.com; b.com" {
		t.Errorf("served: %s", got)
	}
	delete(ca.fails, "b.com")
	_, err = m.enable(t.Context())
	check(t, err)
	if v, err := m.server.View("shop"); err != nil || len(v.State.Issued) == 0 || v.State.Issued[0].Authority == "" || v.State.Issued[len(v.State.Issued)-1].Authority == "" {
		t.Errorf("left: %+v, %v", v.State.Issued, err)
	}
}

// TestRefusedInstall: nothing is ordered while nginx takes no change.
func TestRefusedInstall(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com")
	_, err := m.enable(t.Context())
	check(t, err)
	ca.made()
	m.proxy.Fail(func(call, _ string) error {
		if call == "stage" {
			return errors.New("nginx refuses the configuration")
		}
		return nil
	})
	o := &letsencrypt.Orderer{Server: m.server, Resolver: nowhere{}}
	_, err = o.Order(t.Context(), "shop", letsencrypt.Ask{By: "admin", Force: true}, event.Log{})
	if err == nil || !strings.Contains(err.Error(), "nginx refuses the configuration") {
		t.Errorf("got %v", err)
	}
	if got := ca.made(); got != "" {
		t.Errorf("ordered: %s", got)
	}
}

// TestOwnCertificateWins: certs:add ends the orders.
func TestOwnCertificateWins(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "shop."+app.HostName())
	_, err := m.enable(t.Context())
	check(t, err)
	ca.made()
	p, err := selfSigned()
	check(t, err)
	check(t, m.server.SetCertificate(t.Context(), "shop", "certs:add", event.Log{}, &p))
	v, err := m.server.View("shop")
	check(t, err)
	if v.ACMEEnabled() || len(v.State.Issued) > 0 {
		t.Errorf("enabled %t, issued %v", v.ACMEEnabled(), v.State.Issued)
	}
	check(t, m.server.SetCertificate(t.Context(), "shop", "certs:remove", event.Log{}, nil))
	o := &letsencrypt.Orderer{Server: m.server}
	if next, err := o.Next("shop", time.Time{}); err != nil || !next.IsZero() {
		t.Errorf("the next order is due at %s, %v", next, err)
	}
}
