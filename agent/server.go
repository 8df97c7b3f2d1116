package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proxy"
	"dokku/build"
)

// Env is what all deploys of one DOKKU_ROOT share: the store, the engine, the proxy
// and the builder. It is safe for concurrent use.
type Env struct {
	*Store

	mu    sync.Mutex
	host  engine.Host
	proxy proxy.Proxy
	// image builds an image; tests replace it.
	image func(context.Context, build.Request) (build.Result, error)
	// dial opens the gate's connections; nil: a net.Dialer. Tests replace it.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// owner finds the git that a push belongs to; tests replace it.
	owner func() (Owner, error)
}

// Server is one DOKKU_ROOT: its apps and settings, and the engine and the
// proxy behind them. It is safe for concurrent use.
type Server struct {
	*Env
	// Binary is the program that hooks link to.
	Binary string
	// around is what the doctor looks at outside of the root; tests replace it.
	around surroundings
}

// Open opens the DOKKU_ROOT at root. It touches neither Docker nor nginx.
func Open(root string) (*Server, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("cannot open DOKKU_ROOT %s: %w (install.sh install creates it)", root, err)
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program's own file: %w", err)
	}
	return &Server{Env: &Env{Store: &Store{Root: root}, image: build.Image, owner: findOwner}, Binary: binary}, nil
}

// Engine returns the engine that the settings name. It prepares the connection on
// first use.
func (s *Env) Engine(set Settings) (engine.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.host != nil {
		return s.host, nil
	}
	var err error
	c := engine.Config{Host: set.Docker, Root: s.identity}
	if set.Pool != "" {
		if c.Pool, err = netip.ParsePrefix(set.Pool); err != nil {
			return nil, fmt.Errorf("cannot use the pool of addresses %q of %s: %w", set.Pool, s.own("server.json"), err)
		}
	}
	d, err := engine.NewDocker(c)
	if err != nil {
		return nil, err
	}
	s.host = counted(d)
	return s.host, nil
}

// identity names this root among all that use one engine. It is made once, by
// whoever makes the first network. Without one, which only a full disk brings about, nothing
// is labelled.
func (s *Store) identity() string {
	if id := s.knownIdentity(); id != "" {
		return id
	}
	f, err := os.CreateTemp(s.own(), ".id")
	if err != nil {
		return ""
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(strings.ToLower(rand.Text()) + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		os.Link(f.Name(), s.own("id")) // unless somebody was quicker
	}
	return s.knownIdentity()
}

func (s *Store) knownIdentity() string {
	id, _ := os.ReadFile(s.own("id"))
	return strings.TrimSpace(string(id))
}

// Proxy returns the proxy that the settings name.
func (s *Env) Proxy(set Settings) proxy.Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proxy != nil {
		return s.proxy
	}
	c := proxy.Config{Dir: s.own("nginx"), Disk: s.disk, Port: set.Nginx.Port, Check: set.Nginx.Check, Reload: set.Nginx.Reload}
	if len(c.Check) == 0 {
		c.Check = []string{"sudo", "-n", "/usr/local/lib/dokku/nginx-check"}
	}
	if len(c.Reload) == 0 {
		c.Reload = []string{"sudo", "-n", "/usr/local/lib/dokku/nginx-reload"}
	}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		c.IPv6 = true
	}
	s.proxy = proxy.NewNginx(c)
	return s.proxy
}

// LogFile is the host's log.
func (s *Store) LogFile() string { return s.own("log", "dokku.log") }

// Log returns an event log that goes to the host's log and to the writers.
func (s *Server) Log(term *event.Terminal) event.Log {
	if term == nil {
		return event.New(event.NewHost(s.LogFile()))
	}
	return event.New(event.NewHost(s.LogFile()), term)
}

// newAttempt names one preparation of a release.
func newAttempt() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
