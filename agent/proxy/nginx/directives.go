package nginx

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"dokku/agent/proxy"
)

// view is a route with what the templates ask of its settings. A method that returns ""
// stands for a directive that nobody asked for.
type view struct{ proxy.Route }

// Value returns the value of a property; "" for its default.
func (v view) Value(name string) string { return v.Settings.Properties[name] }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// AccessLog returns where requests are logged.
func (v view) AccessLog() string {
	path := v.Value(proxy.AccessLogPath)
	if path == "" || path == proxy.Off {
		return path
	}
	return strings.TrimSpace(path + " " + v.Value("access-log-format"))
}

// ErrorLog returns where errors are logged. nginx has no word that switches this log off.
func (v view) ErrorLog() string {
	if path := v.Value(proxy.ErrorLogPath); path != proxy.Off {
		return path
	}
	return "/dev/null emerg"
}

// Bound returns a regular expression for the addresses of the host by which the app is
// reached.
func (v view) Bound() string {
	v4, v6 := v.bound("bind-address-ipv4"), v.bound("bind-address-ipv6")
	if v4 == "" && v6 == "" {
		return ""
	}
	return fmt.Sprintf("^(%s|%s)$", orElse(v4, "[0-9.]+"), orElse(v6, "[0-9a-f.]*:[0-9a-f:.]*"))
}

// bound is the address of a property, as a regular expression; "" for all of them.
func (v view) bound(name string) string {
	a, err := netip.ParseAddr(strings.Trim(v.Value(name), "[]"))
	if err != nil || a.IsUnspecified() {
		return ""
	}
	return regexp.QuoteMeta(a.String())
}

// HSTS returns the header that tells browsers to come by https only. It goes out with
// answers to requests that came so: to nginx, or to a trusted proxy.
func (v view) HSTS() string {
	if v.Value("hsts") != "true" {
		return ""
	}
	value := "max-age=" + orElse(v.Value("hsts-max-age"), "15724800")
	if v.Value("hsts-include-subdomains") != "false" {
		value += "; includeSubdomains"
	}
	if v.Value("hsts-preload") == "true" {
		value += "; preload"
	}
	return value
}
