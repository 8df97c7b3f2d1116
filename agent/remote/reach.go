package remote

import (
	"cmp"
	"context"
	"errors"
	"net"
)

// A Reach bounds what a git of somebody who is no admin reaches: by https and http what Hosts.Dial
// reaches, also by a redirect, and by ssh a host whose key is known. A nil one bounds nothing.
type Reach struct{ tunnel *tunnel }

// Reach returns what a git reaches for an address, or why it may not ask it at all. The caller closes it.
func (h Hosts) Reach(a Address) (*Reach, error) {
	switch a.Scheme {
	case schemeGit: // which no proxy can watch
		return nil, errGitScheme
	case schemeSSH:
		if known, err := h.Trusts(a.Host); err != nil || !known {
			return nil, cmp.Or[error](err, &hostError{host: a.Host})
		}
		return &Reach{}, nil
	}
	t, err := openTunnel(h)
	if err != nil {
		return nil, err
	}
	return &Reach{t}, nil
}

// Settings are those of git through which it is bound.
func (r *Reach) Settings() []string {
	if r == nil || r.tunnel == nil {
		return nil
	}
	return []string{"http.proxy=" + r.tunnel.url()}
}

// Explain returns the error of a git, or why an address was refused to it: git only knows that the
// proxy said no.
func (r *Reach) Explain(err error) error {
	if err == nil || r == nil || r.tunnel == nil {
		return err
	}
	return cmp.Or(r.tunnel.first(), err)
}

// Close ends it.
func (r *Reach) Close() {
	if r != nil && r.tunnel != nil {
		r.tunnel.Close()
	}
}

// DialAllowed is Dial whose error says how an administrator allows the host.
func (h Hosts) DialAllowed(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := h.Dial(ctx, network, address)
	var private *privateError
	if errors.As(err, &private) {
		return nil, &hostError{host: hostname(address), why: private}
	}
	return c, err
}
