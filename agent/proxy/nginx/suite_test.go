package nginx_test

import (
	"net/netip"
	"testing"

	"dokku/agent/proxy/nginx/nginxtest"
	"dokku/agent/proxy/proxytest"
)

func TestNginx(t *testing.T) {
	proxytest.Run(t, func(t *testing.T) proxytest.Bench {
		s := nginxtest.NewServer(t, "")
		return proxytest.Bench{
			Proxy:   s.Proxy(),
			Process: func(text string) netip.AddrPort { return nginxtest.Process(t, text) },
			Get:     func(host string) (int, string) { return s.Get(host, "/") },
		}
	})
}
