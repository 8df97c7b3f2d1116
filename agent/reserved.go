package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"dokku/agent/app"
)

// A Reservation is why only an admin may give a name to an app; the zero value: there is no reason.
type Reservation struct {
	Domain string
	App    string // the app that has or would get the name; "": none, or any
	why    string
}

// Exists reports whether there is a reason.
func (r Reservation) Exists() bool { return r.why != "" }

// Why is the reason for somebody who may use some apps: of another one it tells neither the name nor whether there is such an app.
func (r Reservation) Why(mayUse func(app string) bool) string {
	if r.App != "" && !mayUse(r.App) {
		return OfAnother(r.Domain)
	}
	return r.why
}

// OfAnother is the reason for a name that another app has, or would get if there was one.
func OfAnother(domain string) string { return domain + " is, or may become, a name of another app" }

// Reserved says why only an admin may give one of the names to the app. Reserved are the names that other apps have or get by default: those below a global
// domain, wildcards above or below such a name, and what answers for all names. Like
// DomainsFree, which refuses the names themselves, it holds only inside an Update with
// deploy.ChangesNames.
func (s *Server) Reserved(name string, domains ...string) (none Reservation, err error) {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return none, err
	}
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return none, err
	}
	globals := set.Domains
	if len(globals) == 0 {
		globals = []string{app.HostName()}
	}
	for _, d := range domains {
		if r := reservedBelow(name, d, globals, apps); r.Exists() {
			return r, nil
		}
	}
	for _, other := range apps {
		if other == name {
			continue
		}
		a, err := s.Env.Store.Load(other)
		if err != nil {
			continue // destroyed meanwhile, or nobody can read its names
		}
		for _, taken := range (app.View{App: a, Settings: set}).Names() {
			for _, d := range domains {
				switch {
				case d == taken:
					return Reservation{d, other, fmt.Sprintf("%s is a name of app %s", d, other)}, nil
				case covers(d, taken):
					return Reservation{d, other, fmt.Sprintf("%s stands for %s too, a name of app %s", d, taken, other)}, nil
				case covers(taken, d):
					return Reservation{d, other, fmt.Sprintf("%s takes requests from %s, a name of app %s", d, taken, other)}, nil
				}
			}
		}
	}
	return none, nil
}

// reservedBelow says what a name takes from the apps that the server has or will have.
func reservedBelow(name, d string, globals, apps []string) Reservation {
	if _, err := netip.ParseAddr(strings.Trim(d, "[]")); err == nil {
		return Reservation{Domain: d, why: d + " is an address, which is no app's alone"}
	}
	if d == "_" || d == "*" {
		return Reservation{Domain: d, why: fmt.Sprintf("%q answers for all names that no app has, those of apps to come too", d)}
	}
	host := strings.TrimPrefix(d, "*.")
	for _, g := range globals {
		switch below, ok := strings.CutSuffix(host, "."+g); {
		case host == g || strings.HasPrefix(d, "*.") && strings.HasSuffix(g, "."+host):
			return Reservation{Domain: d, why: fmt.Sprintf("%s is above the names that apps get below %s", d, g)}
		case !ok || below == name:
		case strings.HasSuffix(below, "."+name) && !slices.Contains(apps, below):
		default:
			return Reservation{d, below, fmt.Sprintf("%s is the default name of an app called %s", d, below)}
		}
	}
	return Reservation{}
}

// covers reports whether the wildcard stands for the name, or for names below it.
func covers(wildcard, name string) bool {
	above, ok := strings.CutPrefix(wildcard, "*.")
	if wildcard == "_" || wildcard == "*" {
		return true
	}
	return ok && strings.HasSuffix(strings.TrimPrefix(name, "*."), "."+above)
}
