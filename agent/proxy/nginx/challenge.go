package nginx

import (
	"slices"
	"strings"

	"dokku/agent/proxy"
)

// challenged is the server of a route that has other ports than the main one, where CAs
// ask. Visitors find nothing there, as without it.
type challenged struct {
	Listen    listen
	Names     syntax
	Challenge string
	Page      page
}

// challengedOf returns the server; nil if there is no need for it.
func challengedOf(r proxy.Route, s server) *challenged {
	names := slices.DeleteFunc(slices.Clone(r.Domains), func(d string) bool {
		return d == proxy.CatchAll || strings.HasPrefix(d, "*.") // no CA asks for these
	})
	there := slices.ContainsFunc(portsOf(r, s), func(p proxy.Port) bool { return p.Host == s.port })
	if r.Challenge == "" || there || len(names) == 0 {
		return nil
	}
	return &challenged{s.on(s.port), lines(names), r.Challenge, unknownPage.in(s.errorPages)}
}
