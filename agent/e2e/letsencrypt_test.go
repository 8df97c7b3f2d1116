package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs/acme/acmetest"
	"dokku/agent/e2e/lab"
)

// withCA gives a lab's server a CA whose DNS leads every name to the lab.
func withCA(t *testing.T, l *lab.Lab, life time.Duration) *acmetest.CA {
	t.Helper()
	ca := acmetest.New(t, l.Nginx.Port, life)
	l.Dokku("letsencrypt:set", "--global", "server", ca.URL+"/dir")
	l.Dokku("letsencrypt:set", "--global", "ca-bundle", ca.Bundle)
	return ca
}

// secured waits until a URL answers over TLS by a certificate of the CA.
func secured(t *testing.T, ca *acmetest.CA, url, want string) {
	t.Helper()
	got := ""
	lab.WaitFor(t, url+" over TLS", func() bool {
		got, _ = browse(t, ca.Root, url)
		return strings.HasPrefix(got, want)
	})
}

// TestLetsencrypt: an app gets certificates from a real CA, by a command and by itself, for
// names that come and go, and gives them up again.
func TestLetsencrypt(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	ca := withCA(t, l, 90*24*time.Hour)
	a := l.Deployed(nil)
	l.Dokku("domains:set", a.Name, "shop.lan", "www.shop.lan")
	at := func(name string) string { return fmt.Sprintf("https://%s:%d/", name, l.Nginx.TLSPort) }
	want := "200 " + a.Tip("main")

	out, code := l.OverSSH("letsencrypt:enable " + a.Name)
	if code != 0 {
		t.Fatalf("letsencrypt:enable ends with %d:\n%s", code, out)
	}
	lab.Contains(t, out, "=====> Enabling letsencrypt for "+a.Name, "This agrees to the terms of service of 127.0.0.1:", "Getting letsencrypt certificate for "+a.Name+" via HTTP-01",
		"- Domain 'www.shop.lan'", "Certificate retrieved successfully.", strings.TrimSuffix(at("shop.lan"), "/"), "-----> Done")
	for _, name := range []string{"shop.lan", "www.shop.lan"} {
		if got, _ := browse(t, ca.Root, at(name)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, setting := range []string{"dns-provider exec", "dns-provider-EXEC_PATH /bin/sh", "dns-provider-CLOUDFLARE_BASE_URL https://thief.lan"} {
		out, code := l.OverSSH("letsencrypt:set " + a.Name + " " + setting)
		if code == 0 || !strings.Contains(out, "set it there, not over ssh") {
			t.Errorf("over ssh, %s ends with %d:\n%s", setting, code, out)
		}
	}
	lab.Contains(t, l.Dokku("letsencrypt:list"), "-----> App name", "Certificate Expiry", "\n"+a.Name+" ")
	if rows := l.Dokku("--quiet", "letsencrypt:list"); !strings.HasPrefix(rows, a.Name+" ") || strings.Count(rows, "\n") != 1 {
		t.Errorf("letsencrypt:list prints %q", rows)
	}
	lab.Contains(t, l.Dokku("letsencrypt:enable", a.Name), "Certificate is still valid for "+a.Name+", skipping certificate request")

	// The agent orders for a new name. One that leads nowhere costs the others nothing.
	ca.Zone.AddDNSServFailRecord("elsewhere.lan.")
	lab.Contains(t, l.Dokku("domains:add", a.Name, "new.lan", "elsewhere.lan"), "HTTPS for new.lan elsewhere.lan follows in a minute or so")
	lab.WaitFor(t, "the failure in letsencrypt:list", func() bool { return strings.Contains(l.Dokku("letsencrypt:list"), "elsewhere.lan: ") })
	secured(t, ca, at("shop.lan"), want)
	lab.Contains(t, l.Dokku("ps:report", a.Name), "Problem:", "elsewhere.lan")
	doctor, _ := l.Try("doctor", a.Name)
	lab.Contains(t, doctor, "elsewhere.lan", "letsencrypt:enable "+a.Name)
	ca.Zone.DeleteDNSServFailRecord("elsewhere.lan.")
	l.Dokku("letsencrypt:enable", a.Name)
	for _, name := range []string{"new.lan", "elsewhere.lan"} {
		secured(t, ca, at(name), want)
	}

	// An address has a certificate of its own, which clients get that send no name.
	l.Dokku("domains:add", a.Name, "127.0.0.1")
	secured(t, ca, at("127.0.0.1"), want)
	secured(t, ca, at("shop.lan"), want)

	// A stopped app answers the CA too.
	l.Dokku("ps:stop", a.Name)
	lab.Contains(t, l.Dokku("letsencrypt:enable", "--force", a.Name), "Certificate retrieved successfully.")
	l.Dokku("ps:start", a.Name)

	file := filepath.Join(t.TempDir(), "backup")
	l.Dokku("backup", "--output", file)
	l.Dokku("apps:destroy", "--force", a.Name)
	l.Dokku("restore", "--input", file)
	secured(t, ca, at("new.lan"), want)

	lab.Contains(t, l.Dokku("letsencrypt:revoke", a.Name), "Certificate revoked successfully.")
	if got, _ := browse(t, ca.Root, at("shop.lan")); status.MatchString(got) {
		t.Errorf("after the revocation: %s", got)
	}
	if got, _ := browse(t, ca.Root, fmt.Sprintf("http://shop.lan:%d/", l.Nginx.Port)); !strings.HasPrefix(got, want) {
		t.Errorf("plain, after the revocation: %s", got)
	}
	lab.Contains(t, l.Dokku("letsencrypt:active", a.Name), "false")
}

// TestHTTPSByItself: with the property auto, a push is followed by a certificate. A CA that
// is down delays no push, and its certificates come once it is back.
func TestHTTPSByItself(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	ca := withCA(t, l, 90*24*time.Hour)
	ca.Instead(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "maintenance", http.StatusServiceUnavailable)
	})
	lab.Contains(t, l.Dokku("letsencrypt:set", "--global", "auto", "on"), "Every app with a public domain gets a certificate")
	a := l.App(nil)
	l.Dokku("apps:create", a.Name)
	l.Dokku("domains:set", a.Name, "by.itself.lan")
	lab.Contains(t, a.Push(nil), "HTTPS for by.itself.lan follows in a minute or so")
	lab.WaitFor(t, "the outage in letsencrypt:list", func() bool { return strings.Contains(l.Dokku("letsencrypt:list"), "next try at") })
	ca.Instead(nil)
	l.Dokku("letsencrypt:auto-renew", a.Name)
	secured(t, ca, fmt.Sprintf("https://by.itself.lan:%d/", l.Nginx.TLSPort), "200 "+a.Tip("main"))
}

// TestRenewal: certificates that live for 90 seconds are renewed again and again, and no
// handshake gets one that is expired.
func TestRenewal(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	ca := withCA(t, l, 90*time.Second)
	a := l.Deployed(nil)
	l.Dokku("domains:set", a.Name, "renewed.lan")
	l.Dokku("letsencrypt:enable", a.Name)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Root)
	serials := map[string]bool{}
	handshakes := 0
	lab.WaitFor(t, "two renewals", func() bool {
		c, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Nginx.TLSPort)), &tls.Config{RootCAs: roots, ServerName: "renewed.lan"})
		if err != nil {
			t.Fatalf("handshake %d: %v", handshakes, err)
		}
		defer c.Close()
		handshakes++
		serials[c.ConnectionState().PeerCertificates[0].SerialNumber.String()] = true
		return len(serials) == 3
	})
	t.Logf("%d handshakes", handshakes)
}
