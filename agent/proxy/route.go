package proxy

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// defaultBodySize, defaultTimeout: the values of a zero Settings.
	defaultBodySize = "1m"
	defaultTimeout  = time.Minute

	// maxTimeout is a limit of ours: nginx keeps milliseconds in 32 bits.
	maxTimeout = 7 * 24 * time.Hour

	// maxBodySize is a limit of ours, far below where nginx overflows.
	maxBodySize = 1 << 50

	// ReservedDomain is a name that no app can have: nginx tells under it which
	// configuration it serves.
	ReservedDomain = "dokku-generation.invalid"
)

var (
	appName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)
	label    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	bodySize = regexp.MustCompile(`^([0-9]{1,15})([kKmMgG]?)$`)

	// folder lists the characters that a path may have. nginx reads white space, quotes,
	// ; { } $ # and \ as syntax, and * ? [ in an include as a pattern.
	folder = regexp.MustCompile(`^/[A-Za-z0-9/._@+,:=-]*$`)
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
	domains := []string{}
	for _, d := range r.Domains {
		d = Lower(d)
		if err := CheckDomain(d); err != nil {
			return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
		}
		if !slices.Contains(domains, d) {
			domains = append(domains, d)
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
	s, err := r.Settings.checked()
	if err != nil {
		return Route{}, fmt.Errorf("cannot route %s: %w", r.App, err)
	}
	r.Settings = s
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

// CheckApp reports why name cannot be an app's name.
func CheckApp(name string) error {
	if !appName.MatchString(name) || strings.Contains(name, "..") {
		return fmt.Errorf("invalid app name %.80q: use lower case letters, digits, '.' and '-', at most 63", name)
	}
	return nil
}

// Lower returns a host name in lower case. It knows ASCII only: strings.ToLower makes ASCII letters of others, such as
// a "k" of the Kelvin sign.
func Lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// CheckDomain reports why d cannot be a domain of an app. It accepts host names (RFC 1123) and, as nginx does, a first label
// that is "*".
func CheckDomain(d string) error {
	bad := func(fix string) error { return fmt.Errorf("invalid domain %.80q: %s", d, fix) }
	if d == ReservedDomain {
		return bad("the name is reserved")
	}
	if len(d) > 253 {
		return bad("a host name has at most 253 characters")
	}
	if strings.HasSuffix(d, ".") {
		return bad("leave out the final dot")
	}
	host, wild := strings.CutPrefix(d, "*.")
	if wild && host == "" {
		return bad("name the domain after '*.'")
	}
	for l := range strings.SplitSeq(host, ".") {
		if !label.MatchString(l) {
			return bad("a host name has labels of letters, digits and '-' between dots (international names in their xn-- form)")
		}
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

func (s Settings) checked() (Settings, error) {
	if s.ClientMaxBodySize == "" {
		s.ClientMaxBodySize = defaultBodySize
	}
	if err := CheckSize(s.ClientMaxBodySize); err != nil {
		return s, err
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
	}{{"read timeout", &s.ReadTimeout}, {"send timeout", &s.SendTimeout}} {
		if *t.value == 0 {
			*t.value = defaultTimeout
		}
		if *t.value < time.Millisecond || *t.value > maxTimeout {
			return s, fmt.Errorf("invalid %s %s: give 1ms to %s", t.name, *t.value, maxTimeout)
		}
	}
	if s.IncludeDir != "" && (!folder.MatchString(s.IncludeDir) || filepath.Clean(s.IncludeDir) != s.IncludeDir) {
		return s, fmt.Errorf("invalid include folder %.80q: give an absolute path without spaces and special characters", s.IncludeDir)
	}
	return s, nil
}

// CheckSize reports why size cannot be Settings.ClientMaxBodySize.
func CheckSize(size string) error {
	bad := fmt.Errorf("invalid client-max-body-size %.80q: give a number with k, m or g, such as 50m, or 0 for no limit", size)
	m := bodySize.FindStringSubmatch(size)
	if m == nil {
		return bad
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30}[strings.ToLower(m[2])]
	if err != nil || n > maxBodySize>>shift {
		return bad
	}
	return nil
}

// Conflict reports a domain of the route that another app's route has already.
// nginx would only warn, and serve the file that it reads first.
func Conflict(r Route, others []Route) error {
	for _, o := range others {
		if o.App == r.App || o.App == r.Replaces {
			continue
		}
		for _, d := range r.Domains {
			if slices.Contains(o.Domains, d) {
				return fmt.Errorf("cannot route %s: domain %s belongs to app %s already: remove it from one of them", r.App, d, o.App)
			}
		}
	}
	return nil
}

// Covers reports whether domain answers requests for host: it is the same name, or
// a wildcard above it.
func Covers(domain, host string) bool {
	if suffix, wild := strings.CutPrefix(domain, "*"); wild {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return domain == host
}

// Same reports whether publishing r where o is live changes nothing. Defaults and
// the spelling of names do not count, nor does Replaces.
func (r Route) Same(o Route) bool {
	a, aerr := r.Checked()
	b, berr := o.Checked()
	return aerr == nil && berr == nil && a.equal(b)
}

func (r Route) equal(o Route) bool {
	return r.App == o.App && r.Release == o.Release && r.Settings == o.Settings &&
		slices.Equal(r.Domains, o.Domains) && slices.Equal(r.Ports, o.Ports) && slices.Equal(r.Upstreams, o.Upstreams)
}
