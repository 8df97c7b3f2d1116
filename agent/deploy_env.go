package agent

import (
	"context"
	"dokku/agent/engine"
	"dokku/agent/proxy"
	"dokku/build"
	"net"
	"sync"
)

// Env is what all deploys of one DOKKU_ROOT share: the store, the engine, the proxy
// and the builder. It is safe for concurrent use.
type Env struct {
	Store *Store

	// Connect opens the engine that the settings name, and a builder on it; Reach opens
	// the proxy. They are called once, on first use, for what is nil of the next fields.
	Connect func(Settings) (engine.Host, Builder, error)
	Reach   func(Settings) proxy.Proxy

	mu    sync.Mutex
	host  engine.Host
	proxy proxy.Proxy
	image Builder
	// dial opens the gate's connections; nil: a net.Dialer.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// owner finds the git that a push belongs to.
	owner func() (Owner, error)
}

// Builder builds the image of a revision.
type Builder func(context.Context, build.Request) (build.Result, error)

// Engine returns the engine that the settings name. It prepares the connection on
// first use.
func (s *Env) Engine(set Settings) (engine.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.host != nil {
		return s.host, nil
	}
	host, image, err := s.Connect(set)
	if err != nil {
		return nil, err
	}
	if s.host = host; s.image == nil {
		s.image = image
	}
	return host, nil
}

// Proxy returns the proxy that the settings name.
func (s *Env) Proxy(set Settings) proxy.Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proxy == nil {
		s.proxy = s.Reach(set)
	}
	return s.proxy
}
