package proxy_test

import (
	"net/netip"
	"strings"
	"testing"

	"dokku/agent/proxy"
)

func TestSame(t *testing.T) {
	a := proxy.Route{App: "hello", Release: 1, Domains: []string{"Hello.example.com", "hello.example.com"}}
	b := proxy.Route{App: "hello", Release: 1, Domains: []string{"hello.example.com"}, Settings: proxy.Settings{ClientMaxBodySize: "1m", ReadTimeout: 60e9}}
	if !a.Same(b) {
		t.Error("defaults and spelling make a difference")
	}
	for name, change := range map[string]func(*proxy.Route){
		"app":       func(r *proxy.Route) { r.App = "other" },
		"release":   func(r *proxy.Route) { r.Release = 2 },
		"domain":    func(r *proxy.Route) { r.Domains = nil },
		"upstream":  func(r *proxy.Route) { r.Upstreams = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")} },
		"challenge": func(r *proxy.Route) { r.Challenge = strings.Repeat("a", 43) },
		"setting":   func(r *proxy.Route) { r.Settings.ClientMaxBodySize = "2m" },
		"invalid":   func(r *proxy.Route) { r.App = "" },
	} {
		c := a
		change(&c)
		if a.Same(c) || c.Same(a) {
			t.Errorf("another %s makes no difference", name)
		}
	}
}
