package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"dokku/agent/certs"
)

// A Client reaches nodes with a pair of a Set. It remembers sessions.
type Client struct{ config *tls.Config }

// NewClient returns a client with a pair.
func NewClient(p certs.Pair) (*Client, error) {
	config, err := ClientConfig(p)
	if err != nil {
		return nil, err
	}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	return &Client{config}, nil
}

// Clients makes clients with the present keys of a role: it notices that they have changed.
type Clients struct {
	Keys Keys
	Role func(Set) certs.Pair

	mu     sync.Mutex
	mark   string
	client *Client
}

// Client returns the client with the present keys; fs.ErrNotExist if there are none.
func (c *Clients) Client() (*Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mark, err := c.Keys.mark()
	if err != nil {
		return nil, err
	}
	if mark == c.mark {
		return c.client, nil
	}
	keys, err := c.Keys.Load()
	if err != nil {
		return nil, err
	}
	if c.client, err = NewClient(c.Role(keys)); err != nil {
		return nil, err
	}
	c.mark = mark
	return c.client, nil
}

// Dial is that of the present client.
func (c *Clients) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	client, err := c.Client()
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, network, address)
}

// Dial connects to a process, or to an engine, by a node's port. A process that does not accept
// the connection is ECONNREFUSED.
func (c *Client) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, c.config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			return nil, fmt.Errorf("%w by the process behind %s", syscall.ECONNREFUSED, address)
		}
		return nil, fmt.Errorf("cannot speak to the node at %s: %w", address, err)
	}
	return secure, nil
}

// API is where a node serves managers.
func API(address string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(address)
	return netip.AddrPortFrom(a, APIPort), err
}
