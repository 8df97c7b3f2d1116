package deploy

import (
	"maps"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/proxy"
	"dokku/agent/store"
)

// besideRoute puts into a route what comes before the app's processes.
func besideRoute(s *store.Store, v app.View, route *proxy.Route) {
	st := &v.State
	if st.Maintenance {
		route.Maintenance = &proxy.Maintenance{}
		if id := st.MaintenancePage; id != "" {
			route.Maintenance.Page = proxy.Files{ID: id, Dir: s.File(v.Name, app.PagesDir, id)}
		}
	}
	for _, from := range slices.Sorted(maps.Keys(st.Redirects)) {
		if slices.Contains(route.Domains, from) {
			route.Redirects = append(route.Redirects, proxy.Redirect{From: from, To: st.Redirects[from].To, Code: st.Redirects[from].Code})
		}
	}
	if st.Auth.Asks() {
		route.Auth = &proxy.Auth{Users: maps.Clone(st.Auth.Users)}
		// http-auth:add-allowed-ip checked them.
		route.Auth.Allowed, _ = proxy.ParsePrefixes(strings.Join(st.Auth.AllowedIPs, " "))
		// With none left, all domains ask: a changed name must not open the app.
		for _, d := range st.Auth.Domains {
			if slices.Contains(route.Domains, d) {
				route.Auth.Domains = append(route.Auth.Domains, d)
			}
		}
	}
}
