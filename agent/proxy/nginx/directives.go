package nginx

import (
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"

	"dokku/agent/proxy"
)

// What stands here is written only where it was asked for: nginx refuses most directives
// when they are given twice in one block, and files that admins include may have them.

// propertyTime is the value of a property that is a time, in nginx's form.
func propertyTime(s proxy.Settings, name string) string {
	v := s.Properties[name]
	if v == "" {
		for _, p := range proxy.Properties {
			if p.Name == name {
				v = p.Default
			}
		}
	}
	d, err := proxy.ParseTime(v)
	if err != nil {
		panic(fmt.Sprintf("internal error: a property that was not checked: %v", err))
	}
	return nginxTime(d)
}

// renderClient writes how requests are read from a client.
func renderClient(w io.Writer, s proxy.Settings) {
	for _, d := range [][2]string{
		{"client-body-timeout", "client_body_timeout"},
		{"client-header-timeout", "client_header_timeout"},
		{"keepalive-timeout", "keepalive_timeout"},
		{"lingering-timeout", "lingering_timeout"},
		{"send-timeout", "send_timeout"},
	} {
		if s.Properties[d[0]] != "" {
			fmt.Fprintf(w, "    %s %s;\n", d[1], propertyTime(s, d[0]))
		}
	}
	if v := s.Properties["underscore-in-headers"]; v != "" {
		fmt.Fprintf(w, "    underscores_in_headers %s;\n", v)
	}
}

// renderLogs writes where requests and errors are logged. nginx has no word that
// switches the log of errors off.
func renderLogs(w io.Writer, s proxy.Settings) {
	switch path, format := s.Properties[proxy.AccessLogPath], s.Properties["access-log-format"]; path {
	case "":
	case proxy.Off:
		io.WriteString(w, "    access_log off;\n")
	default:
		fmt.Fprintf(w, "    access_log %s;\n", strings.TrimSpace(path+" "+format))
	}
	switch path := s.Properties[proxy.ErrorLogPath]; path {
	case "":
	case proxy.Off:
		io.WriteString(w, "    error_log /dev/null emerg;\n")
	default:
		fmt.Fprintf(w, "    error_log %s;\n", path)
	}
}

// renderTrust makes the client's address out of what a trusted proxy says: the last
// address of the chain that is no trusted proxy's.
func renderTrust(w io.Writer, trusted []netip.Prefix) {
	if len(trusted) == 0 {
		return
	}
	for _, p := range trusted {
		fmt.Fprintf(w, "    set_real_ip_from %s;\n", p)
	}
	io.WriteString(w, "    real_ip_header X-Forwarded-For;\n    real_ip_recursive on;\n")
}

// renderAddresses leaves the app to requests that reach certain addresses of the host.
func renderAddresses(w io.Writer, s proxy.Settings) {
	v4, v6 := bound(s, "bind-address-ipv4"), bound(s, "bind-address-ipv6")
	if v4 == "" && v6 == "" {
		return
	}
	fmt.Fprintf(w, "\n    if ($server_addr !~ \"^(%s|%s)$\") {\n        return 404;\n    }\n",
		orElse(v4, "[0-9.]+"), orElse(v6, "[0-9a-f.]*:[0-9a-f:.]*"))
	renderPage(w, unknownPage.with(s), "")
}

// bound is the address of a property, as a regular expression; "" for all of them.
func bound(s proxy.Settings, name string) string {
	a, err := netip.ParseAddr(strings.Trim(s.Properties[name], "[]"))
	if err != nil || a.IsUnspecified() {
		return ""
	}
	return regexp.QuoteMeta(a.String())
}

const hstsHeader = "    add_header Strict-Transport-Security $dokku_hsts always;\n"

// renderHSTS tells browsers to come by https only. It goes out with answers to requests
// that came so: to nginx, or to a trusted proxy.
func renderHSTS(w io.Writer, s proxy.Settings) {
	if s.Properties["hsts"] != "true" {
		return
	}
	value := "max-age=" + orElse(s.Properties["hsts-max-age"], "15724800")
	if s.Properties["hsts-include-subdomains"] != "false" {
		value += "; includeSubdomains"
	}
	if s.Properties["hsts-preload"] == "true" {
		value += "; preload"
	}
	fmt.Fprintf(w, `
    set $dokku_hsts "";
    if ($dokku_proto = https) {
        set $dokku_hsts "%s";
    }
%s`, value, hstsHeader)
}
