package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"dokku/agent/app"
)

// Reserved says why only an admin may give a name to the app; "": anybody who may use the
// app. Reserved are the names that other apps have or get by default: those below a global
// domain, wildcards above or below such a name, and what answers for all names. Like
// DomainsFree, which refuses the names themselves, it holds only inside an Update with
// deploy.ChangesNames.
func (s *Server) Reserved(name string, domains ...string) (string, error) {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return "", err
	}
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return "", err
	}
	globals := set.Domains
	if len(globals) == 0 {
		globals = []string{app.HostName()}
	}
	for _, d := range domains {
		if why := reservedBelow(name, d, globals, apps); why != "" {
			return why, nil
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
					return fmt.Sprintf("%s is a name of app %s", d, other), nil
				case covers(d, taken):
					return fmt.Sprintf("%s stands for %s too, a name of app %s", d, taken, other), nil
				case covers(taken, d):
					return fmt.Sprintf("%s takes requests from %s, a name of app %s", d, taken, other), nil
				}
			}
		}
	}
	return "", nil
}

// reservedBelow says what a name takes from the apps that the server has or will have.
func reservedBelow(name, d string, globals, apps []string) string {
	if _, err := netip.ParseAddr(strings.Trim(d, "[]")); err == nil {
		return d + " is an address, which is no app's alone"
	}
	if d == "_" || d == "*" {
		return fmt.Sprintf("%q answers for all names that no app has, those of apps to come too", d)
	}
	host := strings.TrimPrefix(d, "*.")
	for _, g := range globals {
		switch below, ok := strings.CutSuffix(host, "."+g); {
		case host == g || strings.HasPrefix(d, "*.") && strings.HasSuffix(g, "."+host):
			return fmt.Sprintf("%s is above the names that apps get below %s", d, g)
		case !ok || below == name:
		case strings.HasSuffix(below, "."+name) && !slices.Contains(apps, below):
		default:
			return fmt.Sprintf("%s is the default name of an app called %s", d, below)
		}
	}
	return ""
}

// covers reports whether the wildcard stands for the name, or for names below it.
func covers(wildcard, name string) bool {
	above, ok := strings.CutPrefix(wildcard, "*.")
	if wildcard == "_" || wildcard == "*" {
		return true
	}
	return ok && strings.HasSuffix(strings.TrimPrefix(name, "*."), "."+above)
}
