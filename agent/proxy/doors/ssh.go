package doors

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"dokku/agent/app"
	"dokku/agent/disk"
)

const (
	// dialTimeout bounds a connection with its handshake. A push waits that long for a
	// front door that is gone.
	dialTimeout = 5 * time.Second
	// callTimeout bounds a call: a test and a reload of nginx, with up to 30 s each.
	callTimeout = 75 * time.Second
	// aliveTimeout bounds the question whether a connection still works.
	aliveTimeout = 2 * time.Second
	// aliveEvery is how often that is asked during a call.
	aliveEvery = 3 * time.Second
)

// A Pool has the connections of this process to front doors, one for each. It is safe for
// concurrent use.
type Pool struct {
	// KeyFile is this server's private key for its front doors.
	KeyFile string
	// Dial opens connections; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu   sync.Mutex
	open map[app.FrontDoor]*ssh.Client
}

// MakeKey makes the server's key for its front doors, once, and returns its public half as a
// line of authorized_keys.
func MakeKey(d disk.Disk, path string) (public string, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = newKey(d, path)
	}
	if err != nil {
		return "", fmt.Errorf("cannot make the key for front doors: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return "", fmt.Errorf("cannot read the key %s for front doors: %w", path, err)
	}
	return Line(signer.PublicKey()), nil
}

func newKey(d disk.Disk, path string) ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "dokku front doors")
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(block)
	if err := d.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return text, d.Replace(path, text, 0o600)
}

// Line returns a key as a line of authorized_keys without a comment.
func Line(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

// ParseKey reads the key of a front door's sshd: a line of authorized_keys.
func ParseKey(line string) (ssh.PublicKey, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, fmt.Errorf("invalid host key %.80q: give the line of a file /etc/ssh/ssh_host_*_key.pub of the front door", line)
	}
	return key, nil
}

// Contact is what the first contact with a front door tells.
type Contact struct {
	HostKey ssh.PublicKey
	// From is the front door's address, Back the one from which this server reached it.
	From, Back netip.Addr
}

// errSeen ends a handshake that has shown the host key.
var errSeen = errors.New("the host key is known")

// Meet asks an sshd for its key: for one of want's type, unless that is nil. It does not log in.
func (p *Pool) Meet(ctx context.Context, address string, want ssh.PublicKey) (c Contact, err error) {
	user, hostport, err := app.ParseDoorAddress(address)
	if err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := p.dial(ctx, hostport)
	if err != nil {
		return c, fmt.Errorf("cannot reach sshd at %s: %w", hostport, err)
	}
	defer conn.Close()
	for to, of := range map[*netip.Addr]net.Addr{&c.From: conn.RemoteAddr(), &c.Back: conn.LocalAddr()} {
		if a, err := netip.ParseAddrPort(of.String()); err == nil {
			*to = a.Addr().Unmap()
		}
	}
	algorithms := []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA512}
	if want != nil {
		algorithms = algorithmsOf(want)
	}
	config := &ssh.ClientConfig{User: user, HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			c.HostKey = key
			return errSeen
		}}
	if _, _, _, err := ssh.NewClientConn(conn, hostport, config); c.HostKey == nil {
		return c, fmt.Errorf("cannot ask sshd at %s for its key: %w", hostport, err)
	}
	return c, nil
}

func (p *Pool) dial(ctx context.Context, hostport string) (net.Conn, error) {
	dial := p.Dial
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	conn, err := dial(ctx, "tcp", hostport)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	return conn, nil
}

// connect logs in at a front door.
func (p *Pool) connect(ctx context.Context, d app.FrontDoor) (*ssh.Client, error) {
	user, hostport, err := app.ParseDoorAddress(d.Address)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(p.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("this server has no key for it: %w; dokku front-door:key makes one", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key %s: %w", p.KeyFile, err)
	}
	hostKey, err := ParseKey(d.HostKey)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := p.dial(ctx, hostport)
	if err != nil {
		return nil, err
	}
	other := false
	c, channels, requests, err := ssh.NewClientConn(conn, hostport, &ssh.ClientConfig{User: user, HostKeyAlgorithms: algorithmsOf(hostKey),
		Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if !bytes.Equal(key.Marshal(), hostKey.Marshal()) {
				other = true
				return fmt.Errorf("the host key is %s", ssh.FingerprintSHA256(key))
			}
			return nil
		}})
	switch {
	case err == nil:
	case other, strings.Contains(err.Error(), "no common algorithm for host key"):
		conn.Close()
		return nil, fmt.Errorf("it has another host key than %s: if it was installed anew, remove it and add it again", ssh.FingerprintSHA256(hostKey))
	case strings.Contains(err.Error(), "unable to authenticate"):
		conn.Close()
		return nil, fmt.Errorf("it does not accept this server's key; run there: %s", InstallLine(Line(signer.PublicKey())))
	default:
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return ssh.NewClient(c, channels, requests), nil
}

// algorithmsOf are the signatures by which an sshd proves that it has a key.
func algorithmsOf(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}

// InstallLine is what makes a server a front door of the one with a key.
func InstallLine(key string) string { return fmt.Sprintf("sudo ./install.sh front-door '%s'", key) }

// client returns the open connection to a front door, or a new one. used is true if it was open.
func (p *Pool) client(ctx context.Context, d app.FrontDoor) (c *ssh.Client, used bool, err error) {
	d.Disabled = false
	p.mu.Lock()
	c = p.open[d]
	p.mu.Unlock()
	if c != nil && answers(c) {
		return c, true, nil
	}
	if c != nil {
		p.drop(d, c)
	}
	if c, err = p.connect(ctx, d); err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[app.FrontDoor]*ssh.Client{}
	}
	if other := p.open[d]; other != nil {
		c.Close()
		return other, true, nil
	}
	p.open[d] = c
	return c, false, nil
}

// answers reports whether a connection still works.
func answers(c *ssh.Client) bool {
	result := make(chan error, 1)
	go func() {
		_, _, err := c.SendRequest("keepalive@openssh.com", true, nil)
		result <- err
	}()
	late := time.NewTimer(aliveTimeout)
	defer late.Stop()
	select {
	case err := <-result:
		return err == nil
	case <-late.C:
		c.Close() // ends the request
		<-result
		return false
	}
}

func (p *Pool) drop(d app.FrontDoor, c *ssh.Client) {
	d.Disabled = false
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[d] == c {
		delete(p.open, d)
	}
}

// Close closes all connections.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for d, c := range p.open {
		c.Close()
		delete(p.open, d)
	}
}

// call sends a request to a front door and returns its answer. Requests may be repeated, so
// one that a dead connection swallowed is sent once more.
func (p *Pool) call(ctx context.Context, d app.FrontDoor, r request) (response, error) {
	r.Protocol = Protocol
	text, err := json.Marshal(r)
	if err != nil {
		return response{}, err
	}
	if len(text) > maxRequest {
		return response{}, fmt.Errorf("the route has more than %d MiB", maxRequest>>20)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for again := false; ; again = true {
		c, used, err := p.client(ctx, d)
		if err != nil {
			return response{}, err
		}
		answer, err := exchange(ctx, c, text)
		var broken *brokenError
		if errors.As(err, &broken) {
			p.drop(d, c)
			if used && !again && ctx.Err() == nil {
				continue
			}
		}
		return answer, err
	}
}

// A brokenError is that of a connection.
type brokenError struct{ error }

func (e *brokenError) Unwrap() error { return e.error }

// exchange runs one command over a connection.
func exchange(ctx context.Context, c *ssh.Client, text []byte) (answer response, err error) {
	defer watch(ctx, c)()
	session, err := c.NewSession()
	if err != nil {
		return answer, &brokenError{cause(ctx, err)}
	}
	defer session.Close()
	session.Stdin = bytes.NewReader(text)
	out, said := &bounded{max: maxResponse}, &bounded{max: 4096}
	session.Stdout, session.Stderr = out, said
	failed := session.Run(Command)
	protocol, err := read(bytes.NewReader(out.Bytes()), maxResponse, &answer)
	switch {
	case err == nil && protocol != Protocol:
		return response{}, errors.New(otherProtocol("it", protocol))
	case err == nil && answer.Error != "":
		return answer, errors.New(answer.Error)
	case err == nil:
		return answer, nil
	}
	var exit *ssh.ExitError
	if errors.As(failed, &exit) {
		last := strings.TrimSpace(said.String())
		return answer, fmt.Errorf("its command ends with %d: %.200s", exit.ExitStatus(), last[strings.LastIndex(last, "\n")+1:])
	}
	if failed == nil {
		return answer, fmt.Errorf("its answer is none of a front door (%w)", err)
	}
	return answer, &brokenError{cause(ctx, failed)}
}

// watch closes a connection when the context ends or the other side has died, which nothing
// would tell for minutes. The call that it returns ends that.
func watch(ctx context.Context, c *ssh.Client) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for t := time.NewTicker(aliveEvery); ; {
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
				answers(c)
			}
		}
	}()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	return func() {
		stop()
		cancel()
		<-ended
	}
}

func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("it did not answer in time: %w", context.Cause(ctx))
	}
	return fmt.Errorf("the connection broke: %w", err)
}

// bounded keeps the first bytes that are written.
type bounded struct {
	bytes.Buffer
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.max {
		return 0, io.ErrShortBuffer
	}
	return b.Buffer.Write(p)
}
