package nginx_test

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
)

// TestStagedElsewhere: a route that differs from the staged one in the addresses of its processes
// alone goes live without a second test. Any other difference is tested.
func TestStagedElsewhere(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.release()
	p := nginx.New(c.config)
	unplaced := netip.MustParseAddrPort("192.0.2.1:1")
	for n, test := range []struct {
		name   string
		staged func(*proxy.Route)
		then   func()
		want   string
	}{
		{"other addresses", func(*proxy.Route) {}, nil, "r"},
		{"other addresses again", func(*proxy.Route) {}, nil, "r"},
		{"another number", func(r *proxy.Route) { r.Upstreams = append(r.Upstreams, netip.MustParseAddrPort("192.0.2.1:2")) }, nil, "cr"},
		{"another domain", func(r *proxy.Route) { r.Domains = append(r.Domains, "more.example.com") }, nil, "cr"},
		{"another route beside it", func(*proxy.Route) {}, func() { check(t, p.Publish(t.Context(), route(t, "other", 1))) }, "cr"},
	} {
		r := route(t, "hello", n+1)
		staged := r
		staged.Domains, staged.Upstreams = slices.Clone(r.Domains), []netip.AddrPort{unplaced}
		test.staged(&staged)
		check(t, p.Stage(t.Context(), staged))
		if test.then != nil {
			test.then()
		}
		check(t, os.Truncate(c.log, 0))
		check(t, p.Publish(t.Context(), r))
		commands, err := os.ReadFile(c.log)
		check(t, err)
		if string(commands) != test.want {
			t.Errorf("%s: nginx is called by %q, want %q", test.name, commands, test.want)
		}
		answers(t, c.Server, "hello", n+1)
	}
}
