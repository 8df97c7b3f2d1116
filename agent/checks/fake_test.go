package checks

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dokku/agent/event"
	"dokku/scale"
)

// printed collects the output for the pusher.
type printed struct {
	mu    sync.Mutex
	lines []string
}

func (p *printed) Write(b []byte) (int, error) {
	var e struct {
		Style   event.Style
		Message string
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if text, ok := event.Format(e.Style, e.Message); ok {
		p.lines = append(p.lines, text)
	}
	return len(b), nil
}

func (p *printed) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// host is an engine that reports the state that a test sets.
type host struct {
	mu        sync.Mutex
	instances map[string]Process
	ports     []int // reachable
	loopback  []int
	err       error
}

func (h *host) Process(_ context.Context, id string) (Process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	in, ok := h.instances[id]
	if !ok {
		in = Process{Status: StatusRunning}
	}
	return in, h.err
}

func (h *host) Listening(context.Context, string) ([]netip.AddrPort, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var sockets []netip.AddrPort
	for _, p := range h.ports {
		sockets = append(sockets, netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(p)))
	}
	for _, p := range h.loopback {
		sockets = append(sockets, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(p)))
	}
	return sockets, h.err
}

func (h *host) set(id string, in Process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.instances == nil {
		h.instances = map[string]Process{}
	}

	h.instances[id] = in
}

func target(name string) Target {
	typ, _, _ := strings.Cut(name, ".")
	t := Target{Name: name, Type: typ, ID: name, Started: time.Now()}
	if typ == scale.Web {
		t.Address, t.Port = netip.MustParseAddr("10.0.0.2"), 5000
	}
	return t
}

// serving returns a target on loopback that a handler answers for.
func serving(t *testing.T, name string, h http.HandlerFunc) Target {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return at(name, s.Listener.Addr())
}

func at(name string, addr net.Addr) Target {
	ap := netip.MustParseAddrPort(addr.String())
	tg := target(name)
	tg.Address, tg.Port = ap.Addr(), int(ap.Port())
	return tg
}

// planFor returns the plan for a CHECKS file; "" for none.
func planFor(t *testing.T, checks string, types ...string) Plan {
	t.Helper()
	var file *File
	if checks != "" {
		f, _, err := ParseCHECKS([]byte(checks))
		if err != nil {
			t.Fatal(err)
		}
		file = &f
	}
	p, _, err := NewPlan(Inputs{App: "shop", Types: types, File: file, Settings: Defaults()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pipes dials handlers inside a synctest bubble: connections are refused until a moment,
// then served by h.
type pipes struct {
	from time.Time
	h    http.Handler
	mu   sync.Mutex
	n    int
	to   map[string]bool
}

func (p *pipes) dial(_ context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.to == nil {
		p.to = map[string]bool{}
	}
	p.to[address] = true
	if time.Now().Before(p.from) || p.h == nil {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	go (&http.Server{Handler: p.h}).Serve(&oneConn{conn: server, done: make(chan struct{})})
	return client, nil
}

// oneConn is a listener with a single connection.
type oneConn struct {
	conn net.Conn
	once bool
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.once {
		return nil, errors.New("closed")
	}
	l.once = true
	return l.conn, nil
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }
}

func failure(t *testing.T, err error) *Failure {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a *Failure", err)
	}
	return f
}
