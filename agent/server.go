package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/proxy"
	"dokku/agent/proxy/doors"
	"dokku/agent/store"
)

// Server is one DOKKU_ROOT with its apps, settings, engine and proxy. It is safe for
// concurrent use. Operations lock the app; methods that only read do not.
type Server struct {
	Env *deploy.Env
	// Binary is the program that hooks link to.
	Binary string
	// CA returns the client of a CA that issues certificates.
	CA func(acme.Config) acme.CA
	// Version is the program's version and revision; "": unknown.
	Version string
	// Doors returns how the settings' front doors are reached.
	Doors func(app.Settings) doors.Config
}

// Open opens the DOKKU_ROOT at root. It connects to neither Docker nor nginx: an
// operation does, on first use.
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
	st := &store.Store{Root: root}
	pool := doorsPool(st)
	return &Server{Doors: func(set app.Settings) doors.Config { return doorsOf(st, set, pool) }, Env: &deploy.Env{Store: st, Owner: proc.ReceivePack, By: proc.Person(os.Getenv),
		Connect: func(set app.Settings) (engine.Host, deploy.Builder, error) { return connect(st, set) },
		Reach:   func(set app.Settings) proxy.Proxy { return reach(st, set, pool) }, Firewall: filter,
	}, Binary: binary, CA: authority}, nil
}

// Log returns an event log that goes to the host's log and, unless term is nil, to the
// terminal.
func (s *Server) Log(term *event.Terminal) event.Log {
	if term == nil {
		return event.New(event.NewHost(s.Env.Store.LogFile()))
	}
	return event.New(event.NewHost(s.Env.Store.LogFile()), term)
}

// View returns an app as it is now, with the server's settings; *app.NoAppError when
// there is none.
func (s *Server) View(name string) (app.View, error) {
	a, err := s.Env.Store.Load(name)
	if err != nil {
		return app.View{}, err
	}
	set, err := s.Env.Store.Settings()
	return app.View{App: a, Settings: set}, err
}

// Host returns the engine that the settings name now.
func (s *Server) Host() (engine.Host, error) {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return nil, err
	}
	return s.Env.Engine(set)
}

// Load reads an app; *app.NoAppError when there is none.
func (s *Server) Load(app string) (*app.App, error) { return s.Env.Store.Load(app) }

// Settings reads the server's settings.
func (s *Server) Settings() (app.Settings, error) { return s.Env.Store.Settings() }
