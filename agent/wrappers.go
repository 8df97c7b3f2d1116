package agent

import (
	"context"
	"dokku/agent/backup"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proxy"
	"dokku/scale"
	"io"
	"strings"
	"time"
)

// View is an app as it is now.
func (s *Server) View(app string) (View, error) {
	a, err := s.Store.Load(app)
	if err != nil {
		return View{}, err
	}
	set, err := s.Store.Settings()
	return View{a, set}, err
}

func (s *Server) viewOf(a *App) (View, error) {
	set, err := s.Store.Settings()
	return View{a, set}, err
}

func (s *Server) Formation(a *App) (scale.Formation, error) {
	v, err := s.viewOf(a)
	if err != nil {
		return nil, err
	}
	return v.Formation()
}

func (s *Server) OwnEnvironment(a *App) map[string]string { return a.OwnEnvironment() }

func (s *Server) Domains(a *App) ([]string, error) {
	v, err := s.viewOf(a)
	return v.Domains(), err
}

func (s *Server) Ports(a *App) ([]PortMap, error) {
	v, err := s.viewOf(a)
	return v.Ports(), err
}

func DetectedPort(a *App) int { return a.DetectedPort() }

func (s *Server) Declares(a *App, name string) bool {
	v, err := s.viewOf(a)
	return err == nil && v.Declares(name)
}

// Update is UpdateAs.
func (s *Server) Update(ctx context.Context, app, what string, log event.Log, change func(*State) error) error {
	op := Op{Name: what}
	switch noun, _, _ := strings.Cut(what, ":"); noun {
	case "domains":
		op.Changes = ChangesNames
	case "nginx", "ports":
		op.Changes = ChangesRoute
	}
	return s.UpdateAs(ctx, app, op, log, change)
}

// Instances is InstancesOf.
func (s *Server) Instances(ctx context.Context, a *App) ([]engine.Instance, error) {
	v, err := s.viewOf(a)
	if err != nil {
		return nil, err
	}
	return s.InstancesOf(ctx, v)
}

// URLs is URLsOf.
func (s *Server) URLs(a *App) ([]string, error) {
	v, err := s.viewOf(a)
	if err != nil {
		return nil, err
	}
	return s.Store.URLsOf(v), nil
}

// EffectiveChecks is for the commands.
func (s *Server) EffectiveChecks(a *App) (checks.Settings, error) {
	v, err := s.viewOf(a)
	if err != nil {
		return checks.Settings{}, err
	}
	return EffectiveChecks(v)
}

// CheckSettings is for the commands.
func (s *Server) CheckSettings(a *App) (checks.Settings, error) {
	v, err := s.viewOf(a)
	if err != nil {
		return checks.Settings{}, err
	}
	return CheckSettings(v)
}

// Undeployed is for the commands.
func (s *Server) Undeployed(a *App) (string, error) {
	v, err := s.viewOf(a)
	if err != nil {
		return "", err
	}
	return Undeployed(v)
}

// Host returns the engine.
func (s *Server) Host() (engine.Host, error) {
	set, err := s.Store.Settings()
	if err != nil {
		return nil, err
	}
	return s.Engine(set)
}

func (s *Server) router() (proxy.Proxy, error) {
	set, err := s.Store.Settings()
	if err != nil {
		return nil, err
	}
	return s.Proxy(set), nil
}

func (s *Server) Load(app string) (*App, error)        { return s.Store.Load(app) }
func (s *Server) Apps() ([]string, error)              { return s.Store.Apps() }
func (s *Server) Settings() (Settings, error)          { return s.Store.Settings() }
func (s *Server) Problem(app string) (*Problem, error) { return s.Store.Problem(app) }
func (s *Server) Created(a *App) (time.Time, error)    { return s.Store.Created(a) }
func (s *Server) UpdateSettings(ctx context.Context, f func(*Settings) error) error {
	return s.Store.UpdateSettings(ctx, f)
}

func (s *Server) Restore(ctx context.Context, app string, log event.Log) error {
	return s.StartEnded(ctx, app, log)
}

func (s *Server) Examine(ctx context.Context, app string) []Finding {
	return Doctor{Server: s}.Examine(ctx, app)
}

func (s *Server) Mend(ctx context.Context, app string, found []Finding, log event.Log) []Finding {
	return Doctor{Server: s}.Fix(ctx, app, found, log)
}

func (s *Server) Backup(ctx context.Context, o BackupOptions, w io.Writer, log event.Log) (backup.Manifest, []string, error) {
	return Write(ctx, s, o, w, log)
}

func (s *Server) RestoreBackup(ctx context.Context, r io.Reader, o RestoreOptions, log event.Log) (int, error) {
	return Restore(ctx, s, r, o, log)
}

func (s *Server) Run(ctx context.Context, log event.Log) error { return Run(ctx, s, log) }

func (s *Server) RunAttached(ctx context.Context, app string, o OneOff, st engine.Streams, log event.Log) (engine.Instance, error) {
	return RunAttached(ctx, s, app, o, st, log)
}

func (s *Server) RunDetached(ctx context.Context, app string, o OneOff, log event.Log) (engine.Instance, error) {
	return RunDetached(ctx, s, app, o, log)
}

func (s *Server) OneOffs(ctx context.Context, app string) ([]engine.Instance, error) {
	return List(ctx, s, app)
}

func (s *Server) StopOneOffs(ctx context.Context, a *App, list []engine.Instance, log event.Log) error {
	return StopAll(ctx, s, a, list, log)
}
