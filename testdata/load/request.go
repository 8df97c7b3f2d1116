package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// identity is the sender of an answer: an app's name and its version.
type identity struct {
	app, rev, config string
}

// header names the process that answers: app, revision, process and config.
const header = "X-Answered-By"

// parseIdentity reads the header of an answer to a request for an app.
func parseIdentity(text, app string) (identity, error) {
	f := strings.Fields(text)
	if len(f) < 3 {
		return identity{}, fmt.Errorf("an answer of nobody: %s is %q", header, text)
	}
	id := identity{app: f[0], rev: f[1]}
	if len(f) > 3 {
		id.config = f[3]
	}
	if id.app != app {
		return identity{}, fmt.Errorf("an answer of the app %s", id.app)
	}
	return id, nil
}

// errReset is the outcome of a request on a kept connection that the proxy closed before it
// had begun to answer.
var errReset = errors.New("the kept connection was closed")

// dial connects to the proxy at one of its addresses: with a single one, TIME_WAIT would
// use up the ports within a minute. Over TLS it makes a whole handshake each time, and
// fails unless the certificate is the issuer's for the app's name.
func (g *generator) dial(n int, app string, secure bool) (net.Conn, error) {
	begun := time.Now()
	to := *port
	if secure {
		to = *tlsPort
	}
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.%d:%d", 1+n%8, to), patience)
	if err != nil || !secure {
		return conn, err
	}
	conn.SetDeadline(begun.Add(patience))
	c := tls.Client(conn, &tls.Config{ServerName: app + "." + *domain, RootCAs: g.trusted})
	if err := c.Handshake(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("no handshake: %w", err)
	}
	state := c.ConnectionState()
	if state.DidResume {
		conn.Close()
		return nil, errors.New("a handshake without a certificate")
	}
	g.presented(app, state.PeerCertificates[0].SerialNumber.Text(16), begun, time.Now())
	return c, nil
}

// body is the body of request n: mostly a few kB, sometimes more than nginx keeps in
// memory.
func body(n int) []byte {
	size := 2000 + n%7*1000
	if n%50 == 0 {
		size = 100_000
	}
	r := rand.NewPCG(uint64(n), 1)
	b := make([]byte, 0, size+8)
	for len(b) < size {
		v := r.Uint64()
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return b
}

// fresh sends a request over a new connection.
func (g *generator) fresh(k kind, app string, n int, secure bool, method, path string, sent []byte) error {
	begun := time.Now()
	conn, err := g.dial(n, app, secure)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(begun.Add(patience + *slow))
	if err := write(conn, app, method, path, "close", sent); err != nil {
		return err
	}
	_, err = g.answer(bufio.NewReader(conn), k, app, begun, sent)
	return err
}

func write(w io.Writer, app, method, path, connection string, sent []byte) error {
	b := make([]byte, 0, 200+len(sent))
	b = fmt.Appendf(b, "%s %s HTTP/1.1\r\nHost: %s.%s\r\nConnection: %s\r\n", method, path, app, *domain, connection)
	if sent != nil {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(sent))
	}
	_, err := w.Write(append(append(b, "\r\n"...), sent...))
	return err
}

// answer reads one answer. It must be whole and from the app, and must echo the sent body,
// if there was one.
func (g *generator) answer(r *bufio.Reader, k kind, app string, begun time.Time, sent []byte) (last bool, err error) {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return true, fmt.Errorf("no whole answer: %w", err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return true, fmt.Errorf("half an answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return true, fmt.Errorf("status %d", resp.StatusCode)
	}
	id, err := parseIdentity(resp.Header.Get(header), app)
	if err != nil {
		return true, err
	}
	if sent != nil && !bytes.Equal(got, sent) {
		return true, fmt.Errorf("%d bytes were sent, and %d others came back", len(sent), len(got))
	}
	g.answered(k, id, begun, time.Now())
	return resp.Close, nil
}

// A keptConn is a connection that is used repeatedly.
type keptConn struct {
	secure bool
	mu     sync.Mutex
	conn   net.Conn
	r      *bufio.Reader
}

// get sends a request over the connection, and opens it if needed. The first request of a
// connection must be answered; a later one may find it closed.
func (c *keptConn) get(g *generator, k kind, app string, n int) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun, used := time.Now(), c.conn != nil
	if !used {
		if c.conn, err = g.dial(n, app, c.secure); err != nil {
			c.conn = nil
			return err
		}
		c.r = bufio.NewReader(c.conn)
	}
	last := true
	defer func() {
		if last {
			c.conn.Close()
			c.conn = nil
		}
	}()
	c.conn.SetDeadline(begun.Add(patience))
	err = write(c.conn, app, "GET", "/load/answer", "keep-alive", nil)
	if err == nil {
		_, err = c.r.Peek(1)
	}
	if used && closed(err) {
		return errReset
	}
	if err != nil {
		return err
	}
	last, err = g.answer(c.r, k, app, begun, nil)
	return err
}

// closed reports whether an error means that the other end has closed.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
