package proxy_test

import (
	"net/netip"
	"strings"
	"testing"

	"dokku/agent/proxy"
)

func TestSame(t *testing.T) {
	certificates := func(id, responder string) []proxy.Certificate {
		return []proxy.Certificate{{ID: id, Domains: []string{"hello.example.com"}, Responder: responder}}
	}
	a := proxy.Route{App: "hello", Release: 1, Domains: []string{"Hello.example.com", "hello.example.com"}, Certificates: certificates("ffffffff", "")}
	b := proxy.Route{App: "hello", Release: 1, Domains: []string{"hello.example.com"}, Certificates: certificates("ffffffff", ""), Settings: proxy.Settings{ClientMaxBodySize: "1m", ReadTimeout: 60e9}}
	if !a.Same(b) {
		t.Error("defaults and spelling make a difference")
	}
	for name, change := range map[string]func(*proxy.Route){
		"app":         func(r *proxy.Route) { r.App = "other" },
		"release":     func(r *proxy.Route) { r.Release = 2 },
		"domain":      func(r *proxy.Route) { r.Domains = append(r.Domains, "other.example.com") },
		"upstream":    func(r *proxy.Route) { r.Upstreams = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")} },
		"certificate": func(r *proxy.Route) { r.Certificates = certificates("00000000", "") },
		"responder":   func(r *proxy.Route) { r.Certificates = certificates("ffffffff", "http://ocsp.example.com") },
		"challenge":   func(r *proxy.Route) { r.Challenge = strings.Repeat("a", 43) },
		"maintenance": func(r *proxy.Route) { r.Maintenance = &proxy.Maintenance{} },
		"page":        func(r *proxy.Route) { r.Maintenance = &proxy.Maintenance{Page: proxy.Files{ID: "00112233"}} },
		"redirect": func(r *proxy.Route) {
			r.Redirects = []proxy.Redirect{{From: "hello.example.com", To: "www.example.com", Code: 301}}
		},
		"auth": func(r *proxy.Route) { r.Auth = &proxy.Auth{} },
		"user": func(r *proxy.Route) { r.Auth = &proxy.Auth{Users: map[string]string{"ann": "$6$salt$aaaaaaaa"}} },
		"address": func(r *proxy.Route) {
			r.Auth = &proxy.Auth{Allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		},
		"setting": func(r *proxy.Route) { r.Settings.ClientMaxBodySize = "2m" },
		"invalid": func(r *proxy.Route) { r.App = "" },
	} {
		c := a
		change(&c)
		if a.Same(c) || c.Same(a) {
			t.Errorf("another %s makes no difference", name)
		}
	}
}

// TestBeside: what is refused, with the words that say why.
func TestBeside(t *testing.T) {
	route := func(change func(*proxy.Route)) proxy.Route {
		r := proxy.Route{App: "hello", Domains: []string{"old.example.com", "hello.example.com"}}
		change(&r)
		return r
	}
	redirect := func(list ...proxy.Redirect) proxy.Route {
		return route(func(r *proxy.Route) { r.Redirects = list })
	}
	users := func(name, hash string) proxy.Route {
		return route(func(r *proxy.Route) { r.Auth = &proxy.Auth{Users: map[string]string{name: hash}} })
	}
	const good = "$2a$05$abcdefghijklmnopqrstuu"
	old := proxy.Redirect{From: "old.example.com", To: "hello.example.com", Code: 301}
	for _, c := range []struct {
		route proxy.Route
		why   string
	}{
		{redirect(old), ""},
		{redirect(old, old), "given twice"},
		{redirect(proxy.Redirect{From: "other.example.com", To: "hello.example.com", Code: 301}), "none of the app's"},
		{redirect(proxy.Redirect{From: "old.example.com", To: "old.example.com", Code: 301}), "would never end"},
		{redirect(proxy.Redirect{From: "old.example.com", To: "*.example.com", Code: 301}), "give one name"},
		{redirect(proxy.Redirect{From: "old.example.com", To: "a.example.com;", Code: 301}), "invalid domain"},
		{redirect(proxy.Redirect{From: "old.example.com", To: "hello.example.com", Code: 200}), "give one of 301 302 303 307 308"},
		{users("ann", good), ""},
		{users("ann:b", good), "without spaces, ':' and '#'"},
		{users("ann\nb", good), "without spaces, ':' and '#'"},
		{users("ann", "secret"), "not a hash of a password"},
		{users("ann", good+"\nbob:"), "not a hash of a password"},
		{route(func(r *proxy.Route) { r.Maintenance = &proxy.Maintenance{Page: proxy.Files{ID: "../../etc"}} }), "not hexadecimal"},
	} {
		_, err := c.route.Checked()
		if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%+v: got error %v, want one with %q", c.route, err, c.why)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has what was given as a hash: %v", err)
		}
	}
}
