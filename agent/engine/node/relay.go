package node

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// handshakeLimit bounds the handshake of a client, and dialLimit the connection to the
	// process, which is on this node.
	handshakeLimit = 10 * time.Second
	dialLimit      = 2 * time.Second
	// bufferSize is what each direction of a connection has, in bytes: one record of TLS.
	bufferSize = 16 << 10
)

// Port returns the port at which a node serves the process that it has published at another
// one. Both are as a rule in the range from which the kernel takes ports (32768 to 60999); see
// reserve. The function is its own inverse.
func Port(published int) int {
	const half = 1 << 14
	if published == half {
		return published
	}
	return published ^ half
}

// A relay accepts TLS connections at one address, and copies the bytes of each to a
// connection of its own and back.
type relay struct {
	config *tls.Config // see connects
	// dial opens the other connection.
	dial func(ctx context.Context) (net.Conn, error)
	// conns are the connections of all relays: an end waits for them.
	conns *sync.WaitGroup

	listener net.Listener
}

// listen begins to accept connections at an address, also beside another process that does.
// All new connections come to the last one that began. Errors are those of net.Listen.
func (r *relay) listen(ctx context.Context, at netip.AddrPort) error {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	config.SetMultipathTCP(false) // its sockets know no preference
	l, err := config.Listen(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	if c, err := l.(*net.TCPListener).SyscallConn(); err == nil {
		_ = control(c, preferNew) // else both get connections, and the former one may lose some when it ends
	}
	r.listener = l
	go r.accept(l)
	return nil
}

// preferNew gives all connections to the second of the sockets that share a port, if there are
// two: the newer one (SO_ATTACH_REUSEPORT_CBPF, see socket(7)).
func preferNew(fd int) error {
	second := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 1}}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: 1, Filter: &second[0]})
}

func control(c syscall.RawConn, do func(fd int) error) error {
	var err error
	if failed := c.Control(func(fd uintptr) { err = do(int(fd)) }); failed != nil {
		return failed
	}
	return err
}

// close ends the listening. Connections that are under way go on.
func (r *relay) close() {
	if r.listener != nil {
		r.listener.Close()
	}
}

func (r *relay) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files
			time.Sleep(10 * time.Millisecond)
			continue
		}
		r.conns.Go(func() { r.serve(conn.(*net.TCPConn)) })
	}
}

// incoming is a connection that was accepted, and the one to the process.
type incoming struct {
	*net.TCPConn
	dial    func(ctx context.Context) (net.Conn, error)
	process net.Conn
}

// connects is config for relays: it connects to the process as soon as the client has said that
// it speaks TLS, before the client can take the handshake for done. Else a proxy would have
// sent its request, and could not ask another process any more.
func connects(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (_ *tls.Config, err error) {
		c := hello.Conn.(*incoming)
		ctx, cancel := context.WithTimeout(hello.Context(), dialLimit)
		defer cancel()
		if c.process, err = c.dial(ctx); err != nil {
			c.SetLinger(0) // a reset, and no alert: nobody is here
			c.Close()
		}
		return nil, err
	}
	return config
}

// serve relays one connection.
func (r *relay) serve(tcp *net.TCPConn) {
	c := &incoming{TCPConn: tcp, dial: r.dial}
	done := false
	defer func() {
		if c.process != nil {
			c.process.Close()
		}
		if !done {
			tcp.SetLinger(0) // a reset
		}
		tcp.Close()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), handshakeLimit)
	defer cancel()
	secure := tls.Server(c, r.config)
	if secure.HandshakeContext(ctx) == nil {
		done = join(secure, c.process)
	}
}

// join copies both ways until both have ended. It reports whether both have ended in order.
func join(a *tls.Conn, b net.Conn) bool {
	ends := make(chan error, 2)
	go func() { ends <- forward(a, b) }()
	go func() { ends <- forward(b, a) }()
	if err := <-ends; err != nil { // nobody waits for the other direction
		b.Close()
		if tcp, ok := a.NetConn().(*incoming); ok {
			tcp.SetLinger(0) // a reset: an end would look as if all were said
		}
		a.NetConn().Close()
		<-ends
		return false
	}
	return <-ends == nil
}

// halfCloser is a connection whose end can be told while it still reads.
type halfCloser interface{ CloseWrite() error }

// forward copies until from ends, and tells to that.
func forward(to, from net.Conn) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	// Neither side may copy by itself: their buffers are larger.
	if _, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, *buffer); err != nil {
		return err
	}
	return to.(halfCloser).CloseWrite()
}

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}
