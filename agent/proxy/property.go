package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of properties that other packages read.
const (
	AccessLogPath = "access-log-path"
	ErrorLogPath  = "error-log-path"
	ErrorPages    = "error-pages"
	LimitConn     = "limit-conn"
	LimitReq      = "limit-req"
	LimitReqBurst = "limit-req-burst"
	MaxTempFile   = "proxy-max-temp-file-size"
	// Off is the value of a log path that switches the log off.
	Off = "off"
)

// Property is a setting of a route that has a value of its own form. The names, and the
// defaults where none is explained here, are those of Dokku 0.38's nginx:set.
type Property struct {
	Name    string
	Default string
	// Check returns an error that names the property, the value and the fix.
	Check func(value string) error
}

// Properties are the keys of Settings.Properties, sorted by name.
var Properties = []Property{
	property("access-log-format", "", `the name of a log_format of nginx`, matches(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)),
	property(AccessLogPath, "", `an absolute path that ends in .log, or "off"`, logPath),
	property("bind-address-ipv4", "", "an IPv4 address of this host", address(netip.Addr.Is4)),
	property("bind-address-ipv6", "", "an IPv6 address of this host", address(func(a netip.Addr) bool { return a.Is6() && !a.Is4In6() })),
	property("client-body-timeout", "60s", timeForm, period(time.Second)),
	// Before nginx knows the app, its own value counts, which ConfD of package nginx sets.
	property("client-header-timeout", "60s", timeForm, period(time.Second)),
	property(ErrorLogPath, "", `an absolute path that ends in .log, or "off"`, logPath),
	property(ErrorPages, "", "an absolute path without spaces and special characters", isPath),
	// Dokku sends the header with every certificate. Browsers remember it, so here it goes
	// out only if somebody asks for it.
	property("hsts", "false", "true or false", oneOf("true", "false")),
	property("hsts-include-subdomains", "true", "true or false", oneOf("true", "false")),
	property("hsts-max-age", "15724800", "a number of seconds from 0 to 315360000", number(0, 315360000)),
	property("hsts-preload", "false", "true or false", oneOf("true", "false")),
	property("https-redirect", "301", "301, 308 or off", oneOf("301", "308", Off)),
	property("keepalive-timeout", "75s", "a time from 0 to 24h, such as 90s", period(0)),
	property("lingering-timeout", "5s", timeForm, period(time.Second)),
	// Requests that one address has open at an app, and those that it may begin: see package
	// nginx, "Limits".
	property(LimitConn, "2048", `a number of requests from 1 to 100000, or "off"`, func(v string) bool { return v == Off || number(1, 100000)(v) }),
	property(LimitReq, Off, `a rate such as 10r/s or 300r/m, or "off"`, func(v string) bool { return v == Off || isRate(v) }),
	property(LimitReqBurst, "100", "a number of requests from 0 to 100000", number(0, 100000)),
	// An answer's header, with all its cookies, must fit into this buffer.
	property("proxy-buffer-size", "64k", sizeForm, isBuffer),
	property("proxy-buffering", "on", "on or off", oneOf("on", "off")),
	property("proxy-buffers", "8 16k", `a number of buffers and their size, such as "8 16k"`, areBuffers),
	property("proxy-busy-buffers-size", "64k", sizeForm, isBuffer),
	// Short, because an instance that does not accept within it is replaced by another.
	property("proxy-connect-timeout", "5s", timeForm, period(time.Second)),
	property("proxy-keepalive", "", "a number of connections from 1 to 1000", number(1, 1000)),
	property(MaxTempFile, "1m", "0, or a size up to 1024g, such as 100m", isTempFile),
	property("send-timeout", "60s", timeForm, period(time.Second)),
	property("underscore-in-headers", "off", "on or off", oneOf("on", "off")),
	property("x-forwarded-for-value", "$remote_addr", oneOfForm(forwardedFor), oneOf(forwardedFor...)),
	property("x-forwarded-port-value", "$server_port", oneOfForm(forwardedPort)+", or a port", func(v string) bool {
		return oneOf(forwardedPort...)(v) || number(1, 65535)(v)
	}),
	property("x-forwarded-proto-value", "$scheme", oneOfForm(forwardedProto), oneOf(forwardedProto...)),
	property("x-forwarded-ssl", "", oneOfForm(forwardedSSL), oneOf(forwardedSSL...)),
}

// The values of the X-Forwarded properties: nginx variables that hold nothing but what
// the peer or nginx itself says, and literals.
var (
	forwardedFor = []string{"$remote_addr", "$http_x_forwarded_for", "$proxy_add_x_forwarded_for", "$realip_remote_addr",
		"$http_x_real_ip", "$http_cf_connecting_ip", "$http_true_client_ip"}
	forwardedPort  = []string{"$server_port", "$http_x_forwarded_port"}
	forwardedProto = []string{"$scheme", "$http_x_forwarded_proto", "$http_x_forwarded_scheme", "$http_cloudfront_forwarded_proto", "http", "https"}
	forwardedSSL   = []string{"on", "off", "$https", "$http_x_forwarded_ssl"}
)

const (
	timeForm = "a time from 1s to 24h, such as 90s"
	sizeForm = "a size from 1k to 16m, such as 32k"

	maxPropertyTime = 24 * time.Hour
	maxBuffer       = 16 << 20
	maxBuffers      = 1024
)

func property(name, standard, form string, ok func(string) bool) Property {
	return Property{Name: name, Default: standard, Check: func(value string) error {
		if ok(value) {
			return nil
		}
		return fmt.Errorf("invalid %s %.80q: give %s", name, value, form)
	}}
}

// CheckProperty reports why a property cannot have a value.
func CheckProperty(name, value string) error {
	i := slices.IndexFunc(Properties, func(p Property) bool { return p.Name == name })
	if i < 0 {
		return fmt.Errorf("unknown property %.80q", name)
	}
	return Properties[i].Check(value)
}

func oneOf(words ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(words, v) }
}

func oneOfForm(words []string) string { return "one of " + strings.Join(words, ", ") }

func matches(expr string) func(string) bool { return regexp.MustCompile(expr).MatchString }

var digits = regexp.MustCompile(`^[0-9]{1,9}$`)

func number(low, high int) func(string) bool {
	return func(v string) bool {
		n, err := strconv.Atoi(v)
		return err == nil && digits.MatchString(v) && n >= low && n <= high
	}
}

func period(least time.Duration) func(string) bool {
	return func(v string) bool {
		d, err := ParseTime(v)
		return err == nil && d >= least && d <= maxPropertyTime
	}
}

func address(family func(netip.Addr) bool) func(string) bool {
	return func(v string) bool {
		a, err := parseAddr(v)
		return err == nil && a.Zone() == "" && family(a)
	}
}

// parseAddr reads an address as Dokku's users write it: an IPv6 address may have the
// brackets of a listen directive.
func parseAddr(v string) (netip.Addr, error) {
	if inner, ok := strings.CutPrefix(v, "["); ok {
		v = strings.TrimSuffix(inner, "]")
	}
	return netip.ParseAddr(v)
}

func isPath(v string) bool { return folder.MatchString(v) && filepath.Clean(v) == v && v != "/" }

func logPath(v string) bool { return v == Off || isPath(v) && strings.HasSuffix(v, ".log") }

func isBuffer(v string) bool {
	n, err := parseSize(v)
	return err == nil && n >= 1<<10 && n <= maxBuffer
}

var rate = regexp.MustCompile(`^[1-9][0-9]{0,5}r/[sm]$`)

func isRate(v string) bool { return rate.MatchString(v) }

func isTempFile(v string) bool {
	n, err := parseSize(v)
	return err == nil && n <= 1<<40
}

func areBuffers(v string) bool {
	_, _, err := parseBuffers(v)
	return err == nil
}

// parseBuffers reads "8 16k": a number, and a size in bytes.
func parseBuffers(v string) (count, size int64, err error) {
	first, second, _ := strings.Cut(v, " ")
	if !number(2, maxBuffers)(first) || !isBuffer(second) {
		return 0, 0, errors.New("not a number and a size")
	}
	count, err = strconv.ParseInt(first, 10, 64)
	if err == nil {
		size, err = parseSize(second)
	}
	return count, size, err
}

var timePattern = regexp.MustCompile(`^[0-9][0-9.a-z]*$`)

// ParseTime reads a time in nginx's form: 60, 60s, 1m30s, 500ms, 1d.
func ParseTime(v string) (time.Duration, error) {
	bad := fmt.Errorf("%.80q is not a time such as 90s", v)
	if !timePattern.MatchString(v) {
		return 0, bad
	}
	text := v
	if days, ok := strings.CutSuffix(v, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil {
			return 0, bad
		}
		text = strconv.FormatInt(24*n, 10) + "h"
	} else if strings.Trim(v, "0123456789.") == "" {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, bad
	}
	return d, nil
}

// ParsePrefixes reads a list of address ranges between commas or spaces. An address alone
// is a range of one.
func ParsePrefixes(list string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := parsePrefix(word)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return all, nil
}

func parsePrefix(word string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(word)
	switch {
	case err != nil || p.Addr().Is4In6():
		return p, fmt.Errorf("%.80q is not a range of addresses: give one such as 10.0.0.0/8, or one address", word)
	case p.Masked() != p:
		return p, fmt.Errorf("%.80q has bits behind its length: give %s", word, p.Masked())
	case p.Bits() == 0:
		return p, fmt.Errorf("%.80q trusts everybody, who could then claim any address: give the ranges of your proxies", word)
	}
	return p, nil
}
