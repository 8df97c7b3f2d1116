package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// A tunnel is a proxy on loopback through which git reaches servers by https and http, so
// that Hosts.Dial sees every address that it connects to: that of a name which changes
// its meaning, and that of a redirect. With https it sees no content.
type tunnel struct {
	hosts    Hosts
	listener net.Listener
	server   *http.Server

	mu      sync.Mutex
	refused error // the first address that was refused
}

// openTunnel starts a tunnel. The caller closes it.
func openTunnel(h Hosts) (*tunnel, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tunnel{hosts: h, listener: l}
	plain := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { // the request has the whole address already
			if ok, err := t.hosts.entitled(r.In.URL); (!ok || err != nil) && t.stored(r.In) {
				r.Out.Header.Del("Authorization")
			}
		},
		Transport:     &http.Transport{DialContext: t.dial, DisableKeepAlives: true, DisableCompression: true},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	t.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			t.connect(w, r)
		case r.URL.Host == "":
			http.Error(w, "this is a proxy", http.StatusBadRequest)
		default:
			plain.ServeHTTP(w, r)
		}
	})}
	go t.server.Serve(l) // until Close
	return t, nil
}

func (t *tunnel) url() string { return "http://" + t.listener.Addr().String() }

func (t *tunnel) Close() { t.server.Close() }

// stored reports whether a request may bring what git:auth stored, and not what its address had.
func (t *tunnel) stored(r *http.Request) bool {
	user, password, basic := r.BasicAuth()
	known, secret, ok, err := t.hosts.Login(r.URL.Hostname())
	return !basic || err != nil || ok && user == known && password == secret
}

// dial notes why an address was refused: git only knows that the proxy said no.
func (t *tunnel) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := t.hosts.Dial(ctx, network, address)
	var private *privateError
	if errors.As(err, &private) {
		err = &hostError{host: hostname(address), why: private}
		t.mu.Lock()
		t.refused = errors.Join(t.refused, err)
		t.mu.Unlock()
	}
	return c, err
}

// connect joins git's connection and the server's.
func (t *tunnel) connect(w http.ResponseWriter, r *http.Request) {
	server, err := t.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	w.WriteHeader(http.StatusOK)
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	var up sync.WaitGroup
	up.Go(func() {
		io.Copy(server, buffered)
		server.(*net.TCPConn).CloseWrite()
	})
	io.Copy(client, server)
	client.Close() // ends the other direction too
	up.Wait()
}

// first returns the first address that was refused, as an error; nil: none was.
func (t *tunnel) first() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var e *hostError
	if errors.As(t.refused, &e) {
		return e
	}
	return nil
}
