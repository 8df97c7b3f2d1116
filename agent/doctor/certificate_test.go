package doctor

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/deploy"
	"dokku/agent/plan"
	"dokku/agent/store"
)

// TestCertificates: an expired certificate is a problem, one of the last 14 days a
// warning, and both name the command that replaces it.
func TestCertificates(t *testing.T) {
	s := &store.Store{Root: t.TempDir()}
	d := &examination{Server: &agent.Server{Env: &deploy.Env{Store: s}}}
	day := func(at time.Time) string { return at.UTC().Format("2006-01-02") }
	now := time.Now()
	for _, test := range []struct {
		made    time.Time // it is valid for 397 days
		domains []string
		want    string
	}{
		{now, []string{"a.example.com"}, "ok: valid until " + day(now.Add(certs.SelfSignedLife))},
		{now, []string{"a.example.com", "b.example.com", "c.example.com"},
			"ok: valid until " + day(now.Add(certs.SelfSignedLife)) + ", but not for b.example.com c.example.com"},
		{now.AddDate(0, 0, -384), []string{"a.example.com"}, "warning: expires on " + day(now.AddDate(0, 0, -384).Add(certs.SelfSignedLife)) + "; UPDATE"},
		{now.AddDate(0, 0, -382), []string{"a.example.com"}, "ok: valid until " + day(now.AddDate(0, 0, -382).Add(certs.SelfSignedLife))},
		{now.AddDate(0, 0, -398), []string{"a.example.com"},
			"problem: expired on " + day(now.AddDate(0, 0, -398).Add(certs.SelfSignedLife)) + ": browsers refuse it; UPDATE"},
	} {
		p, err := certs.SelfSigned([]string{"a.example.com"}, test.made)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.SaveCertificate("shop", p)
		if err != nil {
			t.Fatal(err)
		}
		a := &app.App{Name: "shop", State: app.State{Certificate: c, Domains: test.domains}}
		want := strings.ReplaceAll(test.want, "UPDATE", "dokku certs:update shop CRT KEY")
		if got := said(d.checkCertificate(a)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if d.set.Certificate, err = s.SaveCertificate("", p); err != nil {
			t.Fatal(err)
		}
		want = strings.ReplaceAll(test.want, "UPDATE", "dokku certs:update --global CRT KEY")
		want, _, _ = strings.Cut(want, ", but")
		if strings.HasPrefix(want, "ok") {
			want += " for a.example.com"
		}
		if got := said(d.checkServerCertificate(t.Context())); got != want {
			t.Errorf("of the server: got %q, want %q", got, want)
		}
		d.set.Certificate = nil
		if err := os.RemoveAll(s.TLS("shop")); err != nil {
			t.Fatal(err)
		}
		if got := said(d.checkCertificate(a)); !strings.HasPrefix(got, "problem: cannot read the certificate: open ") ||
			!strings.HasSuffix(got, "; dokku certs:update shop CRT KEY") {
			t.Errorf("without its files: %q", got)
		}
	}
	if list := append(d.checkCertificate(&app.App{Name: "shop"}), d.checkServerCertificate(t.Context())...); list != nil {
		t.Errorf("without certificates: %v", list)
	}
}

// TestUnled: nobody reaches an app whose ports are for TLS alone, with no certificate for
// its names.
func TestUnled(t *testing.T) {
	d := &examination{Server: &agent.Server{Env: &deploy.Env{Store: &store.Store{Root: t.TempDir()}}}}
	a := &app.App{Name: "shop", Current: &app.Release{Port: 5000},
		State: app.State{Domains: []string{"a.example.com"}, Ports: []app.PortMap{{Scheme: "https", Host: 443, Container: 5000}}}}
	web := plan.Desired{Want: []app.Process{{Type: "web", Index: 1}}}
	if !d.unled(app.View{App: a}, web) || d.unled(app.View{App: a}, plan.Desired{}) {
		t.Error("an app without a port that leads to it is not told from one without web")
	}
	a.State.Ports = append(a.State.Ports, app.PortMap{Scheme: "http", Host: 80})
	if d.unled(app.View{App: a}, web) {
		t.Error("an app with a port without TLS is not reached")
	}
}

// said is what one finding says.
func said(list []Finding) string {
	var lines []string
	for _, f := range list {
		line := fmt.Sprintf("%s: %s", f.Status, f.Text)
		if f.Fix != "" {
			line += "; " + f.Fix
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
