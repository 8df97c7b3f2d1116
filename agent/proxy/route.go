package proxy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"dokku/agent/certs"
)

var (
	appName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

	// folder lists the characters that a path may have. nginx reads white space, quotes,
	// ; { } $ # and \ as syntax, and * ? [ in an include as a pattern.
	folder = regexp.MustCompile(`^/[A-Za-z0-9/._@+,:=-]*$`)

	certificateID = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

	// thumbprint is a SHA-256 in base64url.
	thumbprint = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

// Checked validates every field and returns the route as it goes live: defaults
// filled in, ports sorted, domains in lower case and each of them once.
func (r Route) Checked() (Route, error) {
	if err := CheckApp(r.App); err != nil {
		return Route{}, err
	}
	if r.Release < 0 {
		return Route{}, fmt.Errorf("cannot route %s: release %d is negative", r.App, r.Release)
	}
	domains, known := []string{}, map[string]bool{} // a map: there may be thousands
	for _, d := range r.Domains {
		d = Lower(d)
		if err := CheckDomain(d); err != nil {
			return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
		}
		if !known[d] {
			domains, known[d] = append(domains, d), true
		}
	}
	r.Domains = domains
	r.Upstreams = slices.Clone(r.Upstreams)
	for _, u := range r.Upstreams {
		if err := checkUpstream(u); err != nil {
			return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
		}
	}
	if err := checkPorts(&r); err != nil {
		return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
	}
	if err := checkCertificates(&r); err != nil {
		return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
	}
	if r.Entrance != nil {
		if !certificateID.MatchString(r.Entrance.ID) {
			return Route{}, fmt.Errorf("cannot route %s: invalid certificate %.80q of the entrance: its id is not hexadecimal", r.App, r.Entrance.ID)
		}
		r.Entrance = &Certificate{ID: r.Entrance.ID, Dir: r.Entrance.Dir}
	}
	if r.Challenge != "" && !thumbprint.MatchString(r.Challenge) {
		return Route{}, fmt.Errorf("cannot route %s: invalid thumbprint %.80q of an ACME account: it has 43 characters of base64url", r.App, r.Challenge)
	}
	if err := checkBeside(&r); err != nil {
		return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
	}
	s, err := r.Settings.checked()
	if err != nil {
		return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
	}
	r.Settings, r.Outdated = s, false
	return r, nil
}

// checkPorts sorts the ports, and refuses those that no server can listen on.
func checkPorts(r *Route) error {
	if r.Replaces != "" {
		if err := CheckApp(r.Replaces); err != nil {
			return err
		}
	}
	r.Ports = slices.Clone(r.Ports)
	slices.SortFunc(r.Ports, func(a, b Port) int { return a.Host - b.Host })
	for i, p := range r.Ports {
		switch {
		case p.Host < 1 || p.Host > 65535:
			return fmt.Errorf("invalid port %d of the host: give 1 to 65535", p.Host)
		case p.Container < 0 || p.Container > 65535:
			return fmt.Errorf("invalid port %d of a process: give 1 to 65535", p.Container)
		case i > 0 && r.Ports[i-1].Host == p.Host:
			return fmt.Errorf("port %d of the host is mapped twice", p.Host)
		}
	}
	return nil
}

// checkCertificates refuses names that the route does not have, and names with two
// certificates. Certificates without a name are left out.
func checkCertificates(r *Route) error {
	var used []Certificate
	left := map[string]bool{}
	for _, d := range r.Domains {
		left[d] = d != CatchAll
	}
	for _, c := range r.Certificates {
		if !certificateID.MatchString(c.ID) {
			return fmt.Errorf("invalid certificate %.80q: its id is not hexadecimal", c.ID)
		}
		if c.Responder != "" && !certs.IsResponder(c.Responder) {
			return fmt.Errorf("invalid OCSP responder %.80q of certificate %s: not an http URL", c.Responder, c.ID)
		}
		c.Domains = slices.Clone(c.Domains)
		for i, d := range c.Domains {
			d = Lower(d)
			if !left[d] {
				return fmt.Errorf("certificate %s serves %.80q, which is no name of the app or has one already", c.ID, d)
			}
			c.Domains[i], left[d] = d, false
		}
		if len(c.Domains) > 0 {
			used = append(used, c)
		}
	}
	r.Certificates = used
	return nil
}

// CheckApp reports why name cannot be an app's name.
func CheckApp(name string) error {
	if !appName.MatchString(name) || strings.Contains(name, "..") {
		return fmt.Errorf("invalid app name %.80q: use lower case letters, digits, '.' and '-', at most 63", name)
	}
	return nil
}

// checkUpstream refuses zones too: they are free text inside an address.
func checkUpstream(u netip.AddrPort) error {
	switch a := u.Addr(); {
	case !u.IsValid():
		return fmt.Errorf("an upstream has no address")
	case a.Zone() != "":
		return fmt.Errorf("invalid upstream %.80q: an address with a zone", u)
	case a.IsUnspecified() || a.IsMulticast():
		return fmt.Errorf("invalid upstream %s: not the address of one process", u)
	case u.Port() == 0:
		return fmt.Errorf("invalid upstream %s: port 0", u)
	}
	return nil
}

// Conflict reports a domain of the route that another app's route has already.
// nginx would only warn, and serve the file that it reads first.
func Conflict(r Route, others []Route) error {
	mine := map[string]bool{}
	for _, d := range r.Domains {
		mine[d] = true
	}
	for _, o := range others {
		if o.App == r.App || o.App == r.Replaces {
			continue
		}
		for _, d := range o.Domains {
			if mine[d] {
				return fmt.Errorf("cannot route %s: domain %s belongs to app %s already: remove it from one of them", r.App, d, o.App)
			}
		}
	}
	return nil
}

// Pairs are all certificates of the route, which has their files.
func (r Route) Pairs() []*Certificate {
	var list []*Certificate
	for i := range r.Certificates {
		list = append(list, &r.Certificates[i])
	}
	if r.Entrance != nil {
		list = append(list, r.Entrance)
	}
	return list
}

// Same reports whether publishing r where o is live changes nothing. Defaults and
// the spelling of names do not count, nor does Replaces. An outdated route is never the
// same.
func (r Route) Same(o Route) bool {
	if r.Outdated || o.Outdated {
		return false
	}
	a, aerr := r.Checked()
	b, berr := o.Checked()
	return aerr == nil && berr == nil && a.equal(b)
}

func (r Route) equal(o Route) bool {
	if (r.Entrance == nil) != (o.Entrance == nil) || r.Entrance != nil && r.Entrance.ID != o.Entrance.ID {
		return false
	}
	return r.App == o.App && r.Release == o.Release && r.Stopped == o.Stopped && r.Challenge == o.Challenge && r.Elsewhere == o.Elsewhere && r.Onward == o.Onward && r.Settings.equal(o.Settings) && besideEqual(r, o) &&
		slices.Equal(r.Domains, o.Domains) && slices.Equal(r.Ports, o.Ports) && slices.Equal(r.Upstreams, o.Upstreams) &&
		slices.EqualFunc(r.Certificates, o.Certificates, func(a, b Certificate) bool {
			return a.ID == b.ID && a.Responder == b.Responder && slices.Equal(a.Domains, b.Domains)
		})
}
