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
		"setting":     func(r *proxy.Route) { r.Settings.ClientMaxBodySize = "2m" },
		"invalid":     func(r *proxy.Route) { r.App = "" },
	} {
		c := a
		change(&c)
		if a.Same(c) || c.Same(a) {
			t.Errorf("another %s makes no difference", name)
		}
	}
}
