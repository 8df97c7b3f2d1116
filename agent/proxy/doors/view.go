package doors

import (
	"maps"

	"dokku/agent/proxy"
)

// ofThisHost are the properties whose values are of one host: its addresses, files and log
// formats.
var ofThisHost = []string{"bind-address-ipv4", "bind-address-ipv6", "access-log-format", proxy.ErrorPages}

// view returns what a front door has to know of a route. If only this server reaches the
// processes, everything that changes with a deploy is left out, and what this server's
// nginx does with a request in any case.
func view(r proxy.Route) (proxy.Route, error) {
	r, err := r.Checked()
	if err != nil {
		return r, err
	}
	set := &r.Settings
	set.Properties = maps.Clone(set.Properties)
	for _, name := range ofThisHost {
		delete(set.Properties, name)
	}
	if len(r.Upstreams) == 0 { // nil and empty are the same
		r.Upstreams = nil
	}
	if r.Elsewhere {
		return r, nil
	}
	r.Onward, r.Release, r.Upstreams, r.Stopped = true, 0, nil, false
	r.Maintenance, r.Redirects, r.Auth = nil, nil, nil
	set.IncludeDir = ""
	delete(set.Properties, "hsts") // a header that stands twice is invalid
	if len(set.Properties) == 0 {
		set.Properties = nil
	}
	// Who answers where leads nowhere: the ports of the processes are not the front door's.
	ports := r.Ports
	r.Ports = nil
	for _, p := range ports {
		p.Container = 0
		r.Ports = append(r.Ports, p)
	}
	return r, nil
}

// identity is what the view of a route is known by: its text, and the admin's files, whose
// content no id names.
func identity(v proxy.Route) (string, error) {
	own, err := includes(v)
	return digest(v, own), err
}

// local turns the view of another server's route into the route of this host, whose nginx
// listens on its own ports.
func local(v proxy.Route, s Settings, port, tlsPort int) proxy.Route {
	own := func(p int) int {
		switch p {
		case s.Port:
			return port
		case s.TLSPort:
			return tlsPort
		}
		return p
	}
	ports := v.Ports
	if len(ports) == 0 && v.Onward {
		ports = []proxy.Port{{Host: s.Port}}
		if len(v.Certificates) > 0 {
			ports = append(ports, proxy.Port{Host: s.TLSPort, TLS: true})
		}
	}
	v.Ports = nil
	for _, p := range ports {
		if v.Onward && p.Host != s.Port {
			p.Container = p.Host
		}
		p.Host = own(p.Host)
		v.Ports = append(v.Ports, p)
	}
	return v
}
