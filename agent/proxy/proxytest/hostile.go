package proxytest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/agent/proxy"
)

// properties are values that no property may have.
var properties = map[string][]string{
	"unknown":                  {"1"},
	"":                         {"1"},
	"access-log-format":        {"", "a b", "a;", "$x", `a"`, "a\nb", "../a"},
	"access-log-path":          {"", "on", "relative.log", "/var/log/../x.log", "/a b.log", "/a;.log", "/etc/passwd", "/a$b.log", "/x.log;\n}", "syslog:server=x"},
	"error-log-path":           {"", "stderr", "/a.log debug", "/a\n.log", "/a", "/a{.log"},
	"bind-address-ipv4":        {"", "localhost", "::1", "127.0.0.1:80", "127.0.0.1;", "256.1.1.1", "::ffff:1.2.3.4"},
	"bind-address-ipv6":        {"", "127.0.0.1", "fe80::1%eth0", "[::1]:80", "::ffff:1.2.3.4", "::1;"},
	"client-body-timeout":      {"", "0", "-1s", "1x", "25h", "1s;", "1 s", "+1s", "1e9s", "9999999999999999999s"},
	"keepalive-timeout":        {"", "-1s", "1s 1s", "25h"},
	"error-pages":              {"", "relative", "/", "/a b", "/a/../b", "/a;", "/a$b"},
	"hsts":                     {"", "on", "yes", "TRUE"},
	"hsts-max-age":             {"", "-1", "1.5", "9999999999", "1;", "0x10"},
	"proxy-buffer-size":        {"", "0", "1", "512", "17m", "4k;", "k", "4 k"},
	"proxy-buffering":          {"", "true", "on;", "ON"},
	"proxy-buffers":            {"", "8", "8k", "8 8k 8k", "1 8k", "-1 8k", "8 8k;", "8  8k", "99999 16m"},
	"limit-conn":               {"", "0", "-1", "512;", "100001", "on", "1 2"},
	"limit-req":                {"", "10", "0r/s", "10r/h", "10r/s;", "10r/s burst=1", "-1r/s", "9999999r/s"},
	"limit-req-burst":          {"", "-1", "1;", "x", "100001"},
	"proxy-max-temp-file-size": {"", "-1", "1m;", "1x", "2000g", "1 m", "1k"},
	"proxy-keepalive":          {"", "0", "1001", "8;", "x"},
	"underscore-in-headers":    {"", "true"},
	"x-forwarded-for-value":    {"", "$host", "1.2.3.4", "$remote_addr;", "$remote_addr, $remote_addr", "${remote_addr}", "a b"},
	"x-forwarded-port-value":   {"", "0", "65536", "443;", "$port", "443 443", "-1"},
	"x-forwarded-proto-value":  {"", "$http_cookie", "ftp", "https;", "https\n", `"https"`, "$scheme$scheme"},
	"x-forwarded-ssl":          {"", "true", "on;", "$dokku_ssl"},
}

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
		"", ".", "*", "*.", "**.a", "a.*", "*a.b", "a.*.b", ".a", "a.", "a..b", "__", "*._", "a_b", "a b", "a\tb", "a\nb", "a\r\nb", "a\x00b",
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
	for name, values := range properties {
		for _, v := range values {
			add(fmt.Sprintf("%s %q", name, v), func(r *proxy.Route) { r.Settings.Properties = map[string]string{name: v} })
		}
	}
	add("buffers that do not fit together", func(r *proxy.Route) {
		r.Settings.Properties = map[string]string{"proxy-buffers": "2 4k", "proxy-buffer-size": "64k"}
	})
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
	for _, v := range []string{"ocsp.example.com", "https://a", "http://", "http://a/", "http://a;", "http://a/}", "http://a/$uri", "http://a/ b", "http://a\n", "http://a/?b"} {
		add(fmt.Sprintf("responder %q", v), func(r *proxy.Route) {
			r.Certificates = []proxy.Certificate{{ID: "0123456789abcdef", Domains: r.Domains, Responder: v}}
		})
	}
	for _, v := range []string{
		"a", strings.Repeat("a", 42), strings.Repeat("a", 44), strings.Repeat("a", 42) + "=", strings.Repeat("a", 42) + "+", strings.Repeat("a", 42) + "\n",
		strings.Repeat("a", 42) + `"`, "$uri" + strings.Repeat("a", 39), "\n}" + strings.Repeat("a", 41),
	} {
		add(fmt.Sprintf("challenge %q", v), func(r *proxy.Route) { r.Challenge = v })
	}
	add("release -1", func(r *proxy.Route) { r.Release = -1 })
	return all
}
