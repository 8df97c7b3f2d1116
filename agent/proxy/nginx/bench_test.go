package nginx_test

import (
	"fmt"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx/nginxtest"
)

// BenchmarkNginx runs Stage and Publish beside many apps. Compare its ratios only.
func BenchmarkNginx(b *testing.B) {
	for _, apps := range []int{1, 100, 1000} {
		s := nginxtest.NewServer(b, "")
		p := s.Proxy()
		r := proxy.Route{App: "hello", Domains: []string{"hello.example.com"}}
		s.Fill(apps - 1)
		s.Kill()
		s.Start()
		b.Run(fmt.Sprintf("Stage/%d", apps), func(b *testing.B) {
			for b.Loop() {
				r.Release++
				if err := p.Stage(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("Publish/%d", apps), func(b *testing.B) {
			for b.Loop() {
				r.Release++
				if err := p.Publish(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
