package proxytest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/agent/proxy"
)

// Hostile returns routes that every implementation refuses, by what is wrong
// with them: good with one field replaced.
func Hostile(good proxy.Route) map[string]proxy.Route {
	all := map[string]proxy.Route{}
	add := func(name string, change func(r *proxy.Route)) {
		r := good
		change(&r)
		all[name] = r
	}
	for _, v := range []string{
		"", "..", "a..b", "../a", "a/b", "-a", ".a", "A", "a b", "a\n", "a\x00", "a_b", "a;b", "a}", "ä", strings.Repeat("a", 64),
		"a\nlisten 81;", "+server", "a\x1b[2J",
	} {
		add(fmt.Sprintf("app %q", v), func(r *proxy.Route) { r.App = v })
	}
	for _, v := range []string{
		"", ".", "*", "*.", "**.a", "a.*", "*a.b", "a.*.b", ".a", "a.", "a..b", "_", "a_b", "-a.b", "a-.b", "a b", "a\tb", "a\nb", "a\r\nb", "a\x00b",
		"a;return 200", "a;", "a{", "a}", "a#b", "a$host", "${host}", `a\b`, `"a"`, "'a'", "~^.*$", "~a", "a/b", "a:80", "[::1]", "ä.example.com",
		"a.com\n}\nserver{", "*.*.a", "dokku-generation.invalid", "DOKKU-generation.invalid", "a\x1b]0;x\a.com",
		strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "aa", "\u212a.example.com",
	} {
		add(fmt.Sprintf("domain %q", v), func(r *proxy.Route) { r.Domains = []string{"ok.example.com", v} })
	}
	for _, v := range []string{
		" ", "-1", "1t", "1 m", "1m;", "1m\n", "m", "0x10", "1e3", "1.5m", "+1", "١", "9999999999999999", "999999999999999g", "1mm", "$x", "off",
	} {
		add(fmt.Sprintf("size %q", v), func(r *proxy.Route) { r.Settings.ClientMaxBodySize = v })
	}
	for _, v := range []time.Duration{-1, 1, -time.Hour, 999 * time.Microsecond, 8 * 24 * time.Hour, 1<<63 - 1, -1 << 63} {
		add(fmt.Sprintf("read timeout %d", v), func(r *proxy.Route) { r.Settings.ReadTimeout = v })
		add(fmt.Sprintf("send timeout %d", v), func(r *proxy.Route) { r.Settings.SendTimeout = v })
	}
	for _, v := range []string{
		"relative", "./a", "/a/../b", "/a/", "//a", "/a b", "/a;b", "/a{b", "/a}b", "/a\nb", "/a*", "/a?", "/a[b]", `/a\b`, "/a$b", "/a'b", `/a"b`, "/a#b", "/ä", "/a\x00",
	} {
		add(fmt.Sprintf("include folder %q", v), func(r *proxy.Route) { r.Settings.IncludeDir = v })
	}
	zone := netip.MustParseAddr("fe80::1").WithZone("x;\n}")
	for _, v := range []netip.AddrPort{
		{}, netip.AddrPortFrom(zone, 80), netip.MustParseAddrPort("10.0.0.1:0"), netip.MustParseAddrPort("0.0.0.0:80"),
		netip.MustParseAddrPort("[::]:80"), netip.MustParseAddrPort("224.0.0.1:80"), netip.MustParseAddrPort("[ff02::1]:80"),
	} {
		add(fmt.Sprintf("upstream %q", v), func(r *proxy.Route) { r.Upstreams = append(slices.Clone(r.Upstreams), v) })
	}
	for _, v := range [][]proxy.Port{{{Host: 0}}, {{Host: -1}}, {{Host: 65536}}, {{Host: 80, Container: -1}}, {{Host: 80, Container: 65536}},
		{{Host: 80}, {Host: 80, Container: 1}}} {
		add(fmt.Sprintf("ports %v", v), func(r *proxy.Route) { r.Ports = v })
	}
	for _, v := range []string{"..", "a/b", "../a", "a b", "+server"} {
		add(fmt.Sprintf("replaces %q", v), func(r *proxy.Route) { r.Replaces = v })
	}
	add("release -1", func(r *proxy.Route) { r.Release = -1 })
	return all
}
