package memory_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"dokku/agent/proxy/memory"
	"dokku/agent/proxy/proxytest"
)

func TestMemory(t *testing.T) {
	proxytest.Run(t, func(t *testing.T) proxytest.Bench {
		m := memory.New()
		texts := map[netip.AddrPort]string{}
		return proxytest.Bench{
			Proxy: m,
			Process: func(text string) netip.AddrPort {
				a := netip.MustParseAddrPort(fmt.Sprintf("10.0.0.1:%d", len(texts)+1))
				texts[a] = text
				return a
			},
			Get: func(host string) (int, string) {
				r, ok := m.Resolve(host)
				if !ok {
					return http.StatusNotFound, ""
				}
				if len(r.Upstreams) == 0 {
					return http.StatusServiceUnavailable, ""
				}
				return http.StatusOK, texts[r.Upstreams[0]]
			},
		}
	})
}
