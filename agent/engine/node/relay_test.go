package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dokku/agent/certs"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T) Set {
	t.Helper()
	s, err := Keys{Dir: t.TempDir()}.Make(t.Context(), time.Now())
	check(t, err)
	return s
}

func clientOf(t *testing.T, p certs.Pair) *Client {
	t.Helper()
	c, err := NewClient(p)
	check(t, err)
	return c
}

// process is a server behind a relay, which does with each connection what serve says.
type process struct {
	at    netip.AddrPort
	conns sync.WaitGroup
	seen  atomic.Int32
}

func newProcess(t *testing.T, serve func(*net.TCPConn)) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &process{at: netip.MustParseAddrPort(l.Addr().String())}
	p.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.seen.Add(1)
			p.conns.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.conns.Wait()
	})
	return p
}

// echo answers with what comes, and once that has ended, with a full stop.
func echo(c *net.TCPConn) {
	io.Copy(c, c)
	io.WriteString(c, ".")
	c.CloseWrite()
}

// relayTo starts a relay for proxies and managers to an address.
func relayTo(t *testing.T, s Set, to netip.AddrPort, at string) *relay {
	t.Helper()
	config, err := serverConfig(s.Bundle(), Door, Manager)
	check(t, err)
	conns := new(sync.WaitGroup)
	r := &relay{config: connects(config), conns: conns, dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", to.String())
	}}
	check(t, r.listen(t.Context(), netip.MustParseAddrPort(at)))
	t.Cleanup(func() {
		r.close()
		conns.Wait()
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

// TestRelay: all bytes come through both ways, the end of one way is not that of the other, and
// later connections use the session of the first.
func TestRelay(t *testing.T) {
	s := keys(t)
	r := relayTo(t, s, newProcess(t, echo).at, "127.0.0.1:0")
	sent := make([]byte, 5<<20)
	rand.Read(sent)
	client := clientOf(t, s.Door)
	for n := range 2 {
		conn, err := client.Dial(t.Context(), "tcp", r.address())
		check(t, err)
		defer conn.Close()
		go func() {
			conn.Write(sent)
			conn.(*tls.Conn).CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(got, append(bytes.Clone(sent), '.')) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
		if state := conn.(*tls.Conn).ConnectionState(); state.DidResume != (n == 1) || state.Version != tls.VersionTLS13 {
			t.Errorf("connection %d: resumed %t, version %x", n, state.DidResume, state.Version)
		}
	}
}

// TestManyConnections: 1,000 at once do not wait for each other, nor for one that reads slowly.
func TestManyConnections(t *testing.T) {
	s := keys(t)
	r := relayTo(t, s, newProcess(t, echo).at, "127.0.0.1:0")
	client := clientOf(t, s.Door)
	slow, err := client.Dial(t.Context(), "tcp", r.address())
	check(t, err)
	go func() { // all buffers fill up, as nobody reads
		for {
			if _, err := slow.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}()
	conns := make([]net.Conn, 1000)
	for n := range conns {
		conns[n], err = client.Dial(t.Context(), "tcp", r.address())
		check(t, err)
		defer conns[n].Close()
	}
	for n, conn := range conns {
		text := fmt.Sprint("hello ", n)
		fmt.Fprint(conn, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	slow.Close()
}

// TestProcessEnds: what a process said last comes through, and a reset is no end.
func TestProcessEnds(t *testing.T) {
	s := keys(t)
	client := clientOf(t, s.Door)
	for name, c := range map[string]struct {
		serve func(*net.TCPConn)
		whole bool
	}{
		"it closes": {func(c *net.TCPConn) { io.WriteString(c, "bye") }, true},
		"it is killed": {func(c *net.TCPConn) {
			io.ReadFull(c, make([]byte, 2))
			c.SetLinger(0)
		}, false},
	} {
		r := relayTo(t, s, newProcess(t, c.serve).at, "127.0.0.1:0")
		conn, err := client.Dial(t.Context(), "tcp", r.address())
		check(t, err)
		if !c.whole {
			io.WriteString(conn, "hi")
		}
		got, err := io.ReadAll(conn)
		if (err == nil) != c.whole || c.whole && string(got) != "bye" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		conn.Close()
	}
}

// TestClientGoesAway: the process learns of it.
func TestClientGoesAway(t *testing.T) {
	s := keys(t)
	ended := make(chan error, 1)
	p := newProcess(t, func(c *net.TCPConn) {
		_, err := io.Copy(io.Discard, c)
		ended <- err
	})
	r := relayTo(t, s, p.at, "127.0.0.1:0")
	conn, err := clientOf(t, s.Door).Dial(t.Context(), "tcp", r.address())
	check(t, err)
	conn.(*tls.Conn).NetConn().Close() // without an end of TLS
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the process waits for ever")
	}
}

// TestStrangers: nobody without a certificate of ours reaches a process, nor a process without
// TLS.
func TestStrangers(t *testing.T) {
	s, others := keys(t), keys(t)
	var got atomic.Int64
	p := newProcess(t, func(c *net.TCPConn) {
		n, _ := io.Copy(io.Discard, c)
		got.Add(n)
	})
	r := relayTo(t, s, p.at, "127.0.0.1:0")
	late, err := s.Authority.IssueClient([]string{Door}, time.Now().Add(-certs.AuthorityLife-time.Hour))
	check(t, err)
	node, err := s.Authority.IssueClient([]string{"other.dokku"}, time.Now())
	check(t, err)
	own, trusted, err := parts(s.Door.Chain, s.Door.Key)
	check(t, err)
	for name, c := range map[string]*tls.Config{
		"no certificate":                 {},
		"one of another authority":       {Certificates: []tls.Certificate{pair(t, others.Door)}},
		"one that has ended":             {Certificates: []tls.Certificate{pair(t, late)}},
		"one of another name":            {Certificates: []tls.Certificate{pair(t, node)}},
		"the node's own, of a server":    {Certificates: []tls.Certificate{pair(t, s.Node)}},
		"an old version of the protocol": {Certificates: []tls.Certificate{own}, MaxVersion: tls.VersionTLS12},
	} {
		c.RootCAs, c.ServerName = trusted, Name
		conn, err := tls.Dial("tcp", r.address(), c)
		if err == nil {
			io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain, err := net.Dial("tcp", r.address())
	check(t, err)
	defer plain.Close()
	io.WriteString(plain, "GET / HTTP/1.0\r\n\r\n")
	answer, _ := io.ReadAll(plain)
	if strings.Contains(string(answer), "HTTP") {
		t.Errorf("a request without TLS is answered: %q", answer)
	}
	if got.Load() != 0 {
		t.Errorf("the process got %d bytes", got.Load())
	}
	if _, err := clientOf(t, others.Door).Dial(t.Context(), "tcp", r.address()); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a client believes a node of another server: %v", err)
	}
}

func pair(t *testing.T, p certs.Pair) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(p.Chain, p.Key)
	check(t, err)
	return c
}

// TestOnlyManagersReachEngine: the certificate of a proxy does not open it.
func TestOnlyManagersReachEngine(t *testing.T) {
	s := keys(t)
	config, err := serverConfig(s.Bundle(), Manager)
	check(t, err)
	r := relayTo(t, s, newProcess(t, echo).at, "127.0.0.1:0")
	r.close()
	r.config = connects(config)
	check(t, r.listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0")))
	for p, want := range map[*certs.Pair]bool{&s.Door: false, &s.Manager: true} {
		conn, err := clientOf(t, *p).Dial(t.Context(), "tcp", r.address())
		check(t, err)
		io.WriteString(conn, "x")
		_, err = conn.Read(make([]byte, 1))
		if (err == nil) != want {
			t.Errorf("%s: %v", p.Leaf.Subject, err)
		}
		conn.Close()
	}
}

// TestProcessRefuses: a client learns before its handshake is done that the process does not accept.
func TestProcessRefuses(t *testing.T) {
	s := keys(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	free.Close()
	r := relayTo(t, s, netip.MustParseAddrPort(free.Addr().String()), "127.0.0.1:0")
	if _, err := clientOf(t, s.Door).Dial(t.Context(), "tcp", r.address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
}

// TestSuccessor: while a second relay begins at the same address and the first one ends, no
// connection is lost, and those of the first go on.
func TestSuccessor(t *testing.T) {
	s := keys(t)
	r := relayTo(t, s, newProcess(t, echo).at, "127.0.0.1:0")
	client := clientOf(t, s.Door)
	ask := func(conn net.Conn) error {
		io.WriteString(conn, "x")
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	}
	address := r.address() // of all of them
	old, err := client.Dial(t.Context(), "tcp", address)
	check(t, err)
	defer old.Close()
	stop := make(chan struct{})
	var failed atomic.Pointer[error]
	var askers sync.WaitGroup
	var asked [4]atomic.Int32
	for n := range asked {
		askers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := client.Dial(context.Background(), "tcp", address)
				if err == nil {
					err = ask(conn)
					conn.Close()
				}
				if err != nil {
					failed.Store(&err)
					return
				}
				asked[n].Add(1)
			}
		})
	}
	for range 10 {
		next := relayTo(t, s, newProcess(t, echo).at, address)
		for n := range asked { // what had come to the former one by now is done
			for from := asked[n].Load(); asked[n].Load() < from+2 && failed.Load() == nil; {
				runtime.Gosched()
			}
		}
		r.close()
		r = next
	}
	close(stop)
	askers.Wait()
	if err := failed.Load(); err != nil {
		t.Errorf("a connection was lost: %v", *err)
	}
	if err := ask(old); err != nil {
		t.Errorf("the first connection has ended: %v", err)
	}
}

// TestKeys: they are made once, for their owner alone, and whoever is killed while making them
// leaves none.
func TestKeys(t *testing.T) {
	k := Keys{Dir: t.TempDir() + "/nodes"}
	if _, err := k.Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	check(t, os.MkdirAll(k.Dir+"/"+Name, 0o700))
	var all sync.WaitGroup
	sets := make([]Set, 4)
	for n := range sets {
		all.Go(func() { sets[n], _ = k.Make(t.Context(), time.Now()) })
	}
	all.Wait()
	for _, s := range sets {
		if !bytes.Equal(s.Bundle(), sets[0].Bundle()) || len(s.Door.Chain) == 0 {
			t.Error("two processes have made different keys")
		}
	}
	for _, name := range []string{"", "/authority/server.key", "/" + Door + "/server.key"} {
		if fi, err := os.Stat(k.Dir + name); err != nil || fi.Mode()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
	if until := Expires(sets[0].Bundle()); time.Until(until) < certs.AuthorityLife-time.Hour {
		t.Errorf("they end on %s", until)
	}
}

func TestPort(t *testing.T) {
	for _, p := range []int{1, 1024, 16384, 32768, 49151, 60999, 65535} {
		if q := Port(p); q < 1 || q > 65535 || Port(q) != p || q == p && p != 16384 {
			t.Errorf("%d becomes %d", p, q)
		}
	}
}
