package nginx

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"dokku/agent/proxy"
)

// renderChallenge answers the challenges of a CA. It has to come before every other
// directive that answers, redirects or goes to another path.
func renderChallenge(w io.Writer, r proxy.Route) {
	if r.Challenge == "" {
		return
	}
	fmt.Fprintf(w, `
    if ($uri ~ "^/\.well-known/acme-challenge/([A-Za-z0-9_-]+)\z") {
        return 200 "$1.%s";
    }
`, r.Challenge)
}

// renderChallenged writes the server of a route that has other ports than the main one,
// where a CA asks. Everybody else finds nothing there, as without it.
func renderChallenged(w io.Writer, r proxy.Route, s server) {
	names := slices.DeleteFunc(slices.Clone(r.Domains), func(d string) bool {
		return d == proxy.CatchAll || strings.HasPrefix(d, "*.") // no CA asks for these
	})
	there := slices.ContainsFunc(portsOf(r, s), func(p proxy.Port) bool { return p.Host == s.port })
	if r.Challenge == "" || there || len(names) == 0 {
		return
	}
	io.WriteString(w, "\nserver {\n")
	s.render(w)
	fmt.Fprintf(w, "    server_name %s;\n", strings.Join(names, "\n        "))
	renderChallenge(w, r)
	renderNothing(w, s)
	io.WriteString(w, "}\n")
}
