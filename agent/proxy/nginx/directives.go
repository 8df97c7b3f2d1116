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
func (v view) AccessLog() syntax {
	path, format := v.Value(proxy.AccessLogPath), v.Value("access-log-format")
	switch {
	case path == "":
		return ""
	case path == proxy.Off || format == "":
		return sound(path)
	}
	return sound(path) + " " + sound(format)
}

// ErrorLog returns where errors are logged. nginx has no word that switches this log off.
func (v view) ErrorLog() syntax {
	switch path := v.Value(proxy.ErrorLogPath); path {
	case "":
		return ""
	case proxy.Off:
		return "/dev/null emerg"
	default:
		return sound(path)
	}
}

// Bound returns a regular expression for the addresses of the host by which the app is
// reached.
func (v view) Bound() syntax {
	v4, v6 := v.bound("bind-address-ipv4"), v.bound("bind-address-ipv6")
	if v4 == "" && v6 == "" {
		return ""
	}
	return syntax(fmt.Sprintf("^(%s|%s)$", orElse(v4, "[0-9.]+"), orElse(v6, "[0-9a-f.]*:[0-9a-f:.]*")))
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
func (v view) HSTS() syntax {
	if v.Value("hsts") != "true" {
		return ""
	}
	value := "max-age=" + sound(orElse(v.Value("hsts-max-age"), "15724800"))
	if v.Value("hsts-include-subdomains") != "false" {
		value += "; includeSubdomains"
	}
	if v.Value("hsts-preload") == "true" {
		value += "; preload"
	}
	return value
}

// Header returns what a header tells an app, by a property; other unless somebody set it.
func (v view) Header(property string, other syntax) syntax {
	value := v.Value(property)
	switch {
	case value == "":
		return other
	case proxy.CheckProperty(property, value) != nil:
		return unsound
	}
	return syntax(value)
}

// Buffers returns the sizes of a response's buffers.
func (v view) Buffers() (proxy.Buffers, error) {
	b, err := v.Settings.Buffers()
	if err != nil {
		return b, errUnsound
	}
	return b, nil
}

// LimitConn returns how many requests one address may have open; "" for any number.
func (v view) LimitConn() string {
	n := orElse(v.Value(proxy.LimitConn), defaultValue(proxy.LimitConn))
	if n == proxy.Off {
		return ""
	}
	return n
}

// rateZone is where nginx counts the requests that an app's addresses begin.
type rateZone struct{ Name, Rate string }

// RateZone returns nil for an app that takes any number.
func (v view) RateZone() *rateZone {
	rate := v.Value(proxy.LimitReq)
	if rate == "" || rate == proxy.Off {
		return nil
	}
	return &rateZone{"dokku_req_" + v.App, rate}
}

// Burst is how many requests an address may begin above its rate.
func (v view) Burst() string {
	return orElse(v.Value(proxy.LimitReqBurst), defaultValue(proxy.LimitReqBurst))
}

func defaultValue(name string) string {
	value, err := defaultOf(name)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return value
}
