package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
	"dokku/agent/store"
)

// ParseDomain returns a domain that a person typed as it is stored: in lower case, with
// international labels in their xn-- form.
func ParseDomain(typed string) (string, error) {
	d, err := proxy.ParseDomain(typed)
	if invalid := new(proxy.DomainError); errors.As(err, &invalid) {
		//lint:ignore ST1005 the style of Dokku's messages
		err = fmt.Errorf("Invalid domain %q: %s", event.OneLine(typed), invalid.Fix)
	}
	return d, err
}

// DomainsFree refuses names that another app answers to, with an *app.OwnedError. The answer lasts only inside
// an Update with deploy.ChangesNames, which holds the lock of all names.
func (s *Server) DomainsFree(name string, names ...string) error {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return err
	}
	d, owner, err := s.Env.Store.DomainTaken(set, names, name)
	if err == nil && owner != "" {
		err = &app.OwnedError{App: owner, For: name, Domain: d,
			Text: fmt.Sprintf("Domain %s belongs to app %s: remove it there first (dokku domains:remove %[2]s %[1]s)", d, owner)}
	}
	return err
}

// EnableDomains lets an app answer to its names again, in st. It fails if another app
// has one of them by now.
func (s *Server) EnableDomains(v app.View, st *app.State) error {
	if !st.DomainsDisabled {
		return nil
	}
	st.DomainsDisabled = false
	return s.DomainsFree(v.Name, v.With(*st).Names()...)
}

// SetGlobalDomains changes the domains below which apps get their names. change gets a
// copy of the present ones. A result that would give two apps the same name is an
// error. PublishDomains then tells the proxy.
func (s *Server) SetGlobalDomains(ctx context.Context, change func([]string) ([]string, error), log event.Log) error {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return err
	}
	// First without the lock: a refused command line must leave no trace.
	if err := s.changeGlobal(&set, change); err != nil {
		return err
	}
	l, err := s.Env.Store.LockApp(ctx, store.DomainsLock, "domains:set-global", log)
	if err != nil {
		return err
	}
	err = s.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error { return s.changeGlobal(set, change) })
	l.Release()
	return err
}

func (s *Server) changeGlobal(set *app.Settings, change func([]string) ([]string, error)) error {
	domains, err := change(slices.Clone(set.Domains))
	if err != nil {
		return err
	}
	set.Domains = domains
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return err
	}
	taken := map[string]string{}
	for _, name := range apps {
		a, err := s.Env.Store.Load(name)
		if err != nil {
			return err
		}
		for _, d := range a.State.Domains {
			taken[d] = name
		}
	}
	for _, name := range apps {
		for _, d := range domains {
			if owner := taken[name+"."+d]; owner != "" && owner != name {
				//lint:ignore ST1005 a message of domains:set-global
				return fmt.Errorf("Domain %s.%s of app %s would belong to app %s too: remove it there first (dokku domains:remove %[3]s %[1]s.%[2]s)", name, d, owner, name)
			}
		}
	}
	return nil
}

// PublishDomains publishes the routes of all apps without domains of their own. Call
// it after SetGlobalDomains.
func (s *Server) PublishDomains(ctx context.Context, log event.Log) error {
	op := deploy.Op{Name: "domains:set-global", Changes: deploy.ChangesNames}
	return s.publish(ctx, op, log, func(a *app.App) (bool, error) { return len(a.State.Domains) == 0, nil })
}
