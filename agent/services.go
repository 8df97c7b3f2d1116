package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/services"
)

// Services returns the server's services.
func (s *Server) Services() (*services.Manager, error) {
	host, err := s.Host()
	return &services.Manager{Store: s.Env.Store, Host: host, Room: s.Env.Room}, err
}

// LinkedApps returns the apps that use a service, sorted: those that are linked to it, and
// those whose current release joins its network.
func (s *Server) LinkedApps(r services.Ref) ([]string, error) {
	names, err := s.Env.Store.Apps()
	if err != nil {
		return nil, err
	}
	var linked []string
	for _, name := range names {
		a, err := s.Env.Store.Load(name)
		if none := new(app.NoAppError); errors.As(err, &none) {
			continue // it was destroyed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if r.Linked(&a.State) || a.Current != nil && slices.Contains(a.Current.Links, r.Link()) {
			linked = append(linked, name)
		}
	}
	return linked, nil
}

// LinkOptions say how an app is linked to a service.
type LinkOptions struct {
	// Alias is the beginning of the variable's name; "" is the kind's, or one that is free.
	Alias string
	Query string // "pool=5", added to the URL
	// Restart: restart a running app, gated as by config:set.
	Restart bool
	// Announce is called with what changes, before it does.
	Announce func(set map[string]string, unset []string)
}

// colours make the names of further variables, as in Dokku's plugins.
var colours = []string{"AQUA", "BLACK", "BLUE", "FUCHSIA", "GRAY", "GREEN", "LIME", "MAROON", "NAVY", "OLIVE", "PURPLE", "RED", "SILVER", "TEAL", "WHITE", "YELLOW"}

// freeAlias returns the first name of a further variable that is free; "": none is.
func freeAlias(k services.Kind, config map[string]string) string {
	for _, colour := range colours {
		alias := "DOKKU_" + k.Variable() + "_" + colour
		if _, taken := config[alias+"_URL"]; !taken {
			return alias
		}
	}
	return ""
}

// ServiceVariables returns the variables of an app that hold the service's URL, sorted.
func ServiceVariables(m *services.Manager, k services.Kind, svc *services.Service, config map[string]string) (names []string) {
	url := serviceURL(m, k, svc, config)
	for name, value := range config {
		if value == url || strings.HasPrefix(value, url+"?") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// serviceURL is the URL of a service for an app, which may ask for another scheme.
func serviceURL(m *services.Manager, k services.Kind, svc *services.Service, config map[string]string) string {
	return m.URL(k, svc, config[k.Variable()+"_DATABASE_SCHEME"])
}

// Link links an app to a service: the app's containers join its network, and a variable has
// its URL. If the app does not come up with it, nothing has changed.
func (s *Server) Link(ctx context.Context, k services.Kind, name, to string, o LinkOptions, log event.Log) error {
	m, err := s.Services()
	if err != nil {
		return err
	}
	return m.Hold(ctx, k, name, "link", log, func(svc *services.Service) error {
		return s.Env.With(ctx, to, deploy.Op{Name: k.Name + ":link"}, log, func(x *deploy.Session) error {
			set, err := linkVariables(m, k, svc, x, o)
			if err != nil {
				return err
			}
			if o.Restart && x.Current != nil && !x.State.Stopped {
				if err := m.StartHeld(ctx, k, svc, log); err != nil {
					return err
				}
			}
			o.Announce(set, nil)
			return configure(ctx, x, k.Name+":link", o.Restart, log, func(st *app.State) {
				st.Config = app.Merged(st.Config, set)
				if link := svc.Ref().Link(); !slices.Contains(st.Links, link) {
					st.Links = append(slices.Clone(st.Links), link)
				}
			})
		})
	})
}

// linkVariables returns what Link sets.
func linkVariables(m *services.Manager, k services.Kind, svc *services.Service, x *deploy.Session, o LinkOptions) (map[string]string, error) {
	config := x.View().Config()
	if names := ServiceVariables(m, k, svc, config); len(names) > 0 && svc.Ref().Linked(&x.State) {
		//lint:ignore ST1005 the text is that of Dokku's plugins
		return nil, fmt.Errorf("Already linked as %s", strings.Join(names, " "))
	}
	if o.Alias == "" && o.Query == "" && leads(config, svc) {
		return nil, nil // somebody has set its URL already, perhaps one with options of its own
	}
	alias := o.Alias
	if _, taken := config[alias+"_URL"]; alias != "" && taken {
		//lint:ignore ST1005 the text is that of Dokku's plugins
		return nil, fmt.Errorf("Specified alias %s already in use", alias)
	}
	if alias == "" {
		alias = k.Alias
		if _, taken := config[alias+"_URL"]; taken {
			alias = freeAlias(k, config)
		}
	}
	if alias == "" {
		//lint:ignore ST1005 the text is that of Dokku's plugins
		return nil, errors.New("Unable to use default or generated URL alias: give another one with --alias")
	}
	url := serviceURL(m, k, svc, config)
	if o.Query != "" {
		url += "?" + o.Query
	}
	return map[string]string{alias + "_URL": url}, nil
}

// leads reports whether a variable has the service's address and password.
func leads(config map[string]string, svc *services.Service) bool {
	for _, value := range config {
		if strings.Contains(value, svc.Ref().Host()+":") && strings.Contains(value, svc.Password) {
			return true
		}
	}
	return false
}

// Unlink takes an app's link to a service away, with the variables that have its URL. The
// service need not exist any more.
func (s *Server) Unlink(ctx context.Context, k services.Kind, name, from string, o LinkOptions, log event.Log) error {
	m, err := s.Services()
	if err != nil {
		return err
	}
	r := services.Ref{Kind: k.Name, Name: name}
	svc, missing := m.Load(k, name)
	if none := new(services.NoServiceError); missing != nil && !errors.As(missing, &none) {
		return missing
	}
	a, err := s.Env.Store.Load(from)
	switch {
	case err != nil:
		return err
	case missing != nil && !r.Linked(&a.State):
		return missing
	case !r.Linked(&a.State):
		return notLinked(from)
	}
	return s.Env.With(ctx, from, deploy.Op{Name: k.Name + ":unlink"}, log, func(x *deploy.Session) error {
		if !r.Linked(&x.State) {
			return notLinked(from)
		}
		var unset []string
		if missing == nil {
			unset = ServiceVariables(m, k, svc, x.View().Config())
		} else {
			for name, value := range x.State.Config {
				if strings.Contains(value, r.Host()+":") {
					unset = append(unset, name)
				}
			}
			slices.Sort(unset)
		}
		o.Announce(nil, unset)
		return configure(ctx, x, k.Name+":unlink", o.Restart, log, func(st *app.State) {
			st.Config = maps.Clone(st.Config)
			for _, name := range unset {
				delete(st.Config, name)
			}
			st.Links = slices.DeleteFunc(slices.Clone(st.Links), func(l app.Link) bool { return l == r.Link() })
		})
	})
}

func notLinked(name string) error {
	//lint:ignore ST1005 the text is that of Dokku's plugins
	return fmt.Errorf("Not linked to app %s", name)
}

// WithoutApps stops the apps that are linked to a service that the caller holds, runs work, and
// starts those again that ran. If it is killed, StartWaiting starts them.
func (s *Server) WithoutApps(ctx context.Context, m *services.Manager, svc *services.Service, log event.Log, work func() error) error {
	linked, err := s.LinkedApps(svc.Ref())
	if err != nil {
		return err
	}
	var running []string
	for _, name := range linked {
		a, err := s.Env.Store.Load(name)
		if err != nil {
			return err
		}
		if a.Current != nil && !a.State.Stopped {
			running = append(running, name)
		}
	}
	if err := m.SetWaiting(svc, running); err != nil {
		return err
	}
	log.Result("Stopping all linked services")
	for _, name := range running {
		if err = s.Stop(ctx, name, log); err != nil {
			break
		}
	}
	if err == nil {
		err = work()
	}
	log.Result("Starting all linked services")
	if failed := s.startStopped(context.WithoutCancel(ctx), running, log); failed != nil {
		return errors.Join(err, fmt.Errorf("%w\nthe agent will retry", failed))
	}
	return errors.Join(err, m.SetWaiting(svc, nil))
}

// startStopped starts those of the apps that are stopped.
func (s *Server) startStopped(ctx context.Context, names []string, log event.Log) (failed error) {
	for _, name := range names {
		a, err := s.Env.Store.Load(name)
		if none := new(app.NoAppError); errors.As(err, &none) {
			continue // it was destroyed meanwhile
		}
		if err == nil && a.State.Stopped {
			err = s.Start(ctx, name, log)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// StartWaiting starts the apps that an upgrade of a service has stopped and that it was killed
// before it could start again.
func (s *Server) StartWaiting(ctx context.Context, r services.Ref, log event.Log) error {
	m, err := s.Services()
	if err != nil {
		return err
	}
	k, err := m.Kind(r.Kind)
	if err != nil {
		return err
	}
	svc, err := m.Load(k, r.Name)
	if none := new(services.NoServiceError); errors.As(err, &none) || err == nil && len(svc.Waiting) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return m.Hold(ctx, k, r.Name, "upgrade", log, func(svc *services.Service) error {
		log.Warn("An upgrade of %s was interrupted: starting the linked apps", r)
		if err := s.startStopped(ctx, svc.Waiting, log); err != nil {
			return err
		}
		return m.SetWaiting(svc, nil)
	})
}

// Promote makes a linked service the app's first one: the kind's own variable gets its URL,
// and the former value of that another name, unless it has one.
func (s *Server) Promote(ctx context.Context, k services.Kind, name, in string, o LinkOptions, log event.Log) error {
	m, err := s.Services()
	if err != nil {
		return err
	}
	svc, err := m.Load(k, name)
	if err != nil {
		return err
	}
	return s.Env.With(ctx, in, deploy.Op{Name: k.Name + ":promote"}, log, func(x *deploy.Session) error {
		config := x.View().Config()
		first, names := k.Alias+"_URL", ServiceVariables(m, k, svc, config)
		if len(names) == 0 {
			return notLinked(in)
		}
		if slices.Contains(names, first) {
			//lint:ignore ST1005 the text is that of Dokku's plugins
			return fmt.Errorf("Service %s already promoted as %s", name, first)
		}
		set := map[string]string{first: config[names[0]]}
		former, there := config[first]
		elsewhere := slices.ContainsFunc(slices.Collect(maps.Keys(config)), func(n string) bool { return n != first && config[n] == former })
		if there && !elsewhere {
			alias := freeAlias(k, config)
			if alias == "" {
				return fmt.Errorf("cannot keep the present value of %s: all names DOKKU_%s_COLOUR_URL are taken", first, k.Variable())
			}
			set[alias+"_URL"] = former
		}
		o.Announce(set, nil)
		return configure(ctx, x, k.Name+":promote", o.Restart, log, func(st *app.State) { st.Config = app.Merged(st.Config, set) })
	})
}
