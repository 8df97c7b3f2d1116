package node

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// BenchmarkRequest measures a request to a process, with a connection of its own or one that is
// kept, straight and by the relay.
func BenchmarkRequest(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer s.Close()
	keys, err := Keys{Dir: b.TempDir()}.Make(b.Context(), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	config, err := serverConfig(keys.Bundle(), Door)
	if err != nil {
		b.Fatal(err)
	}
	r := &relay{config: connects(config), conns: new(sync.WaitGroup), dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
	}}
	if err := r.listen(b.Context(), netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		b.Fatal(err)
	}
	defer r.close()
	secure, err := NewClient(keys.Door)
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name    string
		address string
		dial    func(ctx context.Context, network, address string) (net.Conn, error)
	}{{"straight", s.Listener.Addr().String(), new(net.Dialer).DialContext}, {"relay", r.address(), secure.Dial}} {
		for name, kept := range map[string]bool{"own connection": false, "kept connection": true} {
			client := &http.Client{Transport: &http.Transport{DialContext: way.dial, DisableKeepAlives: !kept}}
			b.Run(way.name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					answer, err := client.Get("http://" + way.address)
					if err != nil {
						b.Fatal(err)
					}
					io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
			})
			client.CloseIdleConnections()
		}
	}
}
