// Package doorstest has front doors in memory, which speak ssh over pipes.
package doorstest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/proxy/doors"
)

// Ports of the nginx that a Door stands for.
const (
	Port    = 8080
	TLSPort = 8443
)

// A Door is a front door in memory.
type Door struct {
	doors.Door
	// App is what a server remembers of it.
	App app.FrontDoor
	// Answer, if it is set, is what it answers instead of its own.
	Answer []byte
	// Address is where it listens: a name of no real host.
	Address string

	t      testing.TB
	config *ssh.ServerConfig

	mu    sync.Mutex
	wg    sync.WaitGroup
	key   []byte // that may log in
	conns map[net.Conn]bool
	down  bool
	calls int
	// stop is called before and after each request; an error breaks the connection.
	stop func(moment string) error
}

// New makes a front door with a proxy. It ends with the test.
func New(t testing.TB, name string, served doors.Served) *Door {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	d := &Door{Address: name + ".test:22", t: t, conns: map[net.Conn]bool{}}
	d.Door = doors.Door{Dir: filepath.Join(t.TempDir(), "front-door"), Logs: "/var/log/nginx", Port: Port, TLSPort: TLSPort, Disk: disk.Disk{}, Version: "test",
		Proxy: func(doors.Settings) doors.Served { return served }}
	d.App = app.FrontDoor{Address: name + ".test", HostKey: doors.Line(signer.PublicKey()), From: "192.0.2.2", Back: "192.0.2.1"}
	d.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !bytes.Equal(key.Marshal(), d.key) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	d.config.AddHostKey(signer)
	t.Cleanup(d.Close)
	return d
}

// Allow lets a key in, as the line that front-door:add prints does.
func (d *Door) Allow(line string) {
	d.t.Helper()
	key, err := doors.ParseKey(line)
	if err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.key = key.Marshal()
}

// Pool returns connections to some front doors in memory, all of which it lets in.
func Pool(t testing.TB, dir string, all ...*Door) *doors.Pool {
	t.Helper()
	p := &doors.Pool{KeyFile: filepath.Join(dir, "front-door-key"), Dial: Dialer(all...)}
	line, err := doors.MakeKey(disk.Disk{}, p.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		d.Allow(line)
	}
	t.Cleanup(p.Close)
	return p
}

// Dialer connects to front doors in memory.
func Dialer(all ...*Door) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(_ context.Context, _, address string) (net.Conn, error) {
		for _, d := range all {
			if d.Address == address {
				return d.connect()
			}
		}
		return nil, fmt.Errorf("dial %s: no such host", address)
	}
}

// connect answers as a connection of TCP would.
func (d *Door) connect() (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, errors.New("connection refused")
	}
	address := func(ip string, port int) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: port} }
	here, there := pipe(address(d.App.Back, 40000), address(d.App.From, 22))
	d.conns[there] = true
	d.wg.Go(func() { d.serve(there) })
	return here, nil
}

func (d *Door) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		d.mu.Lock()
		delete(d.conns, conn)
		d.mu.Unlock()
	}()
	_, channels, requests, err := ssh.NewServerConn(conn, d.config)
	if err != nil {
		return
	}
	d.wg.Go(func() { ssh.DiscardRequests(requests) })
	for n := range channels {
		if n.ChannelType() != "session" {
			n.Reject(ssh.UnknownChannelType, "only commands")
			continue
		}
		ch, requests, err := n.Accept()
		if err != nil {
			return
		}
		d.wg.Go(func() { d.session(conn, ch, requests) })
	}
}

func (d *Door) session(conn net.Conn, ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	for r := range requests {
		if r.Type != "exec" {
			r.Reply(false, nil)
			continue
		}
		r.Reply(true, nil)
		if d.moment("before") != nil {
			conn.Close()
			return
		}
		var out bytes.Buffer
		d.Serve(context.Background(), ch, &out)
		if d.moment("after") != nil {
			conn.Close()
			return
		}
		if d.Answer != nil {
			out = *bytes.NewBuffer(d.Answer)
		}
		ch.Write(out.Bytes())
		ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
		return
	}
}

func (d *Door) moment(name string) error {
	d.mu.Lock()
	if name == "before" {
		d.calls++
	}
	stop := d.stop
	d.mu.Unlock()
	if stop == nil {
		return nil
	}
	return stop(name)
}

// Break has a hook called "before" and "after" each request is carried out. An error of it
// breaks the connection there. nil removes it.
func (d *Door) Break(hook func(moment string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop = hook
}

// Calls returns how many requests came.
func (d *Door) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Down makes the front door unreachable, or reachable again.
func (d *Door) Down(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
	if down {
		for c := range d.conns {
			c.Close()
		}
	}
}

// Close ends all connections.
func (d *Door) Close() {
	d.Down(true)
	d.wg.Wait()
}
