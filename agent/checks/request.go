package checks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	maxRedirects = 10
	// maxBody is how much of an answer is searched for the expected text.
	maxBody = 16 << 20
)

// Failures that a suggestion tells apart.
type (
	timeoutError  time.Duration
	redirectError struct{ to string }
)

func (e timeoutError) Error() string { return "no answer within " + duration(time.Duration(e)) }
func (e redirectError) Error() string {
	return "redirects to " + clip(e.to) + ", which is not this app"
}

// connect opens a connection and closes it.
func (p *probe) connect(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return readable(err)
	}
	return conn.Close()
}

// dial connects to the target and to nothing else.
func (p *probe) dial(ctx context.Context) (net.Conn, error) {
	dial := p.gate.plan.Dial
	if p.target.Secure {
		dial = p.gate.plan.DialSecure
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if !p.target.Address.IsValid() || p.port() == 0 {
		return nil, fmt.Errorf("%s has no address and port to connect to", p.target.Name)
	}
	port := p.port()
	if p.target.NodePort != 0 {
		if port != p.target.Port {
			return nil, fmt.Errorf("%s is on a node that publishes its port %d alone, not %d", p.target.Name, p.target.Port, port)
		}
		port = p.target.NodePort
	}
	return dial(ctx, "tcp", netip.AddrPortFrom(p.target.Address, uint16(port)).String())
}

// request asks for the check's URL, follows redirects, and looks for the
// expected text.
func (p *probe) request(ctx context.Context) (status int, err error) {
	u, err := url.Parse(p.check.URL)
	if err != nil {
		return 0, err
	}
	first := u.Hostname()
	secure := p.target.HasTLS
	for range maxRedirects + 1 {
		resp, err := p.ask(ctx, u, secure)
		if err != nil {
			return 0, readable(err)
		}
		location := resp.Header.Get("Location")
		if resp.StatusCode < 300 || resp.StatusCode > 399 || location == "" {
			err := answer(resp, p.check.Content)
			resp.Body.Close()
			return resp.StatusCode, err
		}
		resp.Body.Close()
		next, err := u.Parse(location)
		if err != nil || !p.own(next, first) {
			return resp.StatusCode, redirectError{location}
		}
		if next.Scheme == "https" && u.Scheme == "http" {
			// The process does not speak TLS on this port: its proxy would.
			next.Scheme, secure = "http", true
		}
		u = next
	}
	return 0, fmt.Errorf("more than %d redirects, the last one to %s", maxRedirects, clip(u.String()))
}

// own reports whether a URL is on the app.
func (p *probe) own(u *url.URL, first string) bool {
	if u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == strings.ToLower(first) || host == "localhost" || host == p.target.Address.String() {
		return true
	}
	return slices.ContainsFunc(p.gate.plan.Domains, func(d string) bool {
		d = strings.ToLower(d)
		return d == host || strings.HasPrefix(d, "*.") && strings.HasSuffix(host, d[1:])
	})
}

// ask sends one request on a connection of its own. The caller closes the body.
func (p *probe) ask(ctx context.Context, u *url.URL, secure bool) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for name, values := range p.check.Header {
		req.Header[name] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "dokku-checks")
	}
	if secure {
		req.Header.Set("X-Forwarded-Proto", "https")
	}
	if !httpguts.ValidHostHeader(req.Host) {
		return nil, fmt.Errorf("%q is not a host name", clip(req.Host))
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx) }
	transport := &http.Transport{
		Proxy:                  nil,
		DialContext:            dial,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
		// No authority signs certificates for a container's address.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: u.Hostname()},
	}
	return transport.RoundTrip(req)
}

// search reads until it has found the wanted text, with little memory.
func search(r io.Reader, want []byte) (read int64, found bool, err error) {
	buf := make([]byte, 0, len(want)+32<<10)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		read += int64(n)
		buf = buf[:len(buf)+n]
		if bytes.Contains(buf, want) {
			return read, true, nil
		}
		if err == io.EOF {
			return read, false, nil
		}
		if err != nil {
			return read, false, err
		}
		if keep := len(want) - 1; len(buf) > keep {
			copy(buf, buf[len(buf)-keep:])
			buf = buf[:keep]
		}
	}
}

// readable shortens the errors of net for the reader of a deploy.
func readable(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return syscall.ECONNREFUSED
	case errors.Is(err, syscall.ECONNRESET):
		return syscall.ECONNRESET
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the connection was closed without an answer")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// clip cuts the text of a process or a file to a line's length.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
