package nginx

import (
	"fmt"
	"testing"

	"dokku/agent/proxy"
)

// BenchmarkRender writes the files of 1,000 apps with a certificate and the shared ones, as
// each change does to find those that are outdated.
func BenchmarkRender(b *testing.B) {
	s := unset(80, true)
	var routes []proxy.Route
	var apps []string
	for i := range 1000 {
		name := fmt.Sprintf("app%d", i)
		r, err := proxy.Route{App: name, Release: 1, Domains: []string{name + ".example.com"}, Upstreams: addresses("172.30.1.2:5000", "172.30.1.3:5000"),
			Certificates: []proxy.Certificate{{ID: "0123456789abcdef", Domains: []string{name + ".example.com"}}}}.Checked()
		if err != nil {
			b.Fatal(err)
		}
		routes, apps = append(routes, r), append(apps, name)
	}
	for b.Loop() {
		for _, r := range routes {
			renderApp(r, s)
		}
		shared("abcdefghijklmnopqrstuvwxyz", apps, routes, s)
	}
}
