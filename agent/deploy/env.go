package deploy

import (
	"context"
	"net"
	"sync"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/proc"
	"dokku/agent/proxy"
	"dokku/agent/store"
	"dokku/build"
)

// Env is what all deploys of one DOKKU_ROOT share: the store, the engine, the proxy
// and the builder. It is safe for concurrent use.
type Env struct {
	Store *store.Store

	// Connect opens the engine that the settings name, and a builder on it; Reach opens
	// the proxy. They are called once, on first use, for what is nil of the next fields.
	Connect func(app.Settings) (engine.Host, Builder, error)
	Reach   func(app.Settings) proxy.Proxy

	mu      sync.Mutex
	Machine engine.Host
	Router  proxy.Proxy
	Build   Builder
	// Dial opens the gate's connections; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Owner finds the git that a push belongs to.
	Owner func() (proc.Owner, error)
}

// Builder builds the image of a revision.
type Builder func(context.Context, build.Request) (build.Result, error)

// Engine returns the engine that the settings name. It prepares the connection on
// first use.
func (s *Env) Engine(set app.Settings) (engine.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Machine != nil {
		return s.Machine, nil
	}
	host, image, err := s.Connect(set)
	if err != nil {
		return nil, err
	}
	if s.Machine = host; s.Build == nil {
		s.Build = image
	}
	return host, nil
}

// Proxy returns the proxy that the settings name.
func (s *Env) Proxy(set app.Settings) proxy.Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Router == nil {
		s.Router = s.Reach(set)
	}
	return s.Router
}
