package move

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/services"
)

// Service imports a service with its data. One that is here with the same secrets gets data
// only while it has none, or if it is one of Again. The error says why it is not here as it
// is there; apps that need it are not deployed then.
func (m *Mover) Service(ctx context.Context, v *Service) error {
	err := m.takeService(ctx, v)
	if m.taken == nil {
		m.taken = map[services.Ref]error{}
	}
	if m.taken[v.Ref] = err; errors.Is(err, errNotExposed) {
		m.taken[v.Ref] = nil // apps reach it all the same
	}
	return err
}

// errNotExposed says that a service is here with its data, but not at its ports of the server.
var errNotExposed = errors.New("is here with its data, but not at its ports of the server")

func (m *Mover) takeService(ctx context.Context, v *Service) error {
	m.Log.Result("Importing %s from %s", v.Ref, m.From.Host)
	if v.err != nil {
		return fmt.Errorf("cannot import %s: %w", v.Ref, v.err)
	}
	manager := &services.Manager{Store: m.Here.Env.Store}
	have, err := manager.Load(v.Kind, v.Name)
	if none := new(services.NoServiceError); errors.As(err, &none) {
		return m.newService(ctx, v)
	}
	if err != nil {
		return err
	}
	if o := v.Options; have.Password != o.Password || have.Database != o.Database || v.Kind.RootPasswordBytes > 0 && have.RootPassword != o.RootPassword {
		return fmt.Errorf("%s exists here with other passwords: it is another service of that name. Destroy it (dokku %s:destroy %s), then import again", v.Ref, v.Ref.Kind, v.Name)
	}
	if m.Plan {
		m.Log.Detail("%s is here already", v.Ref)
		return m.expose(ctx, v, have)
	}
	if manager, err = m.Here.Services(); err != nil {
		return err
	}
	// What a killed import has begun is finished or undone first.
	if err := manager.Hold(ctx, v.Kind, v.Name, "import", m.Log, func(s *services.Service) error { have = s; return nil }); err != nil {
		return err
	}
	if err := m.refill(ctx, manager, v); err != nil {
		return err
	}
	return m.expose(ctx, v, have)
}

// newService makes a service that is not here.
func (m *Mover) newService(ctx context.Context, v *Service) error {
	if err := m.serviceNetworks(ctx, v); err != nil {
		return err
	}
	words := []string{"dokku", v.Ref.Kind + ":create", v.Name, "--image", quoted(v.Options.Image)}
	if v.Options.Memory > 0 {
		words = append(words, "--memory", fmt.Sprint(v.Options.Memory))
	}
	m.Log.Detail("%s", strings.Join(append(words, "--password", "..."), " "))
	switch {
	case !v.Kind.Dumps() && len(v.Kind.Data) > 0:
		m.Log.Warn("%s: its data do not come, since %s has no export. Empty it before the move, or copy them by its own tools", v.Ref, v.Kind.Title)
	case v.Kind.Dumps() && v.Status != "running":
		return m.notRunning(v)
	case v.Kind.Dumps():
		m.Log.Detail("there: dokku %s:export %s, which is loaded here", v.Ref.Kind, v.Name)
	}
	if m.Plan {
		return m.expose(ctx, v, &services.Service{})
	}
	manager, err := m.Here.Services()
	if err != nil {
		return err
	}
	done := m.Log.Busy("bringing %s with its data", v.Ref)
	moved, err := manager.Adopt(ctx, v.Kind, v.Name, v.Options, v, m.Log)
	done()
	if err != nil {
		return fmt.Errorf("cannot import %s: %w", v.Ref, err)
	}
	if v.Kind.Dumps() {
		m.Log.Detail("%s: %s", v.Ref, moved)
	}
	return m.expose(ctx, v, &services.Service{})
}

func (m *Mover) notRunning(v *Service) error {
	return fmt.Errorf("cannot import %s: it does not run there, so its data cannot be read. Start it there: dokku %s:start %s", v.Ref, v.Ref.Kind, v.Name)
}

// refill loads the data into a service that is here.
func (m *Mover) refill(ctx context.Context, manager *services.Manager, v *Service) error {
	if !v.Kind.Dumps() {
		return nil
	}
	again := m.Again[v.Ref]
	if v.Status != "running" {
		if again {
			return m.notRunning(v)
		}
		return nil
	}
	done := m.Log.Busy("bringing the data of %s", v.Ref)
	moved, err := manager.Refill(ctx, v.Kind, v.Name, again, v, m.Log)
	done()
	switch {
	case errors.Is(err, services.ErrFilled):
		m.Log.Step("%s is here with its data, which stay. To load those of %s over them: --again %s:%s", v.Ref, m.From.Host, v.Ref.Kind, v.Name)
		return nil
	case err != nil:
		return err
	}
	m.Log.Detail("%s: %s", v.Ref, moved)
	return nil
}

// expose makes a service reachable at the ports that it has there, unless it is at others.
func (m *Mover) expose(ctx context.Context, v *Service, have *services.Service) error {
	if len(v.Ports) == 0 || len(have.Container.Ports) > 0 {
		return nil
	}
	s := Step{Words: append([]string{v.Ref.Kind + ":expose", "--", v.Name}, v.Ports...)}
	_, failed, err := m.steps(ctx, Plan{Steps: []Step{s}}, m.Log)
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("%s %w: dokku %s failed", v.Ref, errNotExposed, s)
	}
	return err
}

// serviceNetworks makes the networks that a service joins beside its own.
func (m *Mover) serviceNetworks(ctx context.Context, v *Service) error {
	p := planning{}
	for _, name := range services.Properties {
		if v.Options.Properties[name] == "" {
			continue
		}
		if p.have.Networks == nil {
			list, err := m.Run(ctx, []string{"network:list"}, "")
			if err != nil {
				return err
			}
			p.have.Networks = lines(list)
		}
		p.networks(v.Options.Properties[name])
	}
	_, failed, err := m.steps(ctx, Plan{Steps: p.steps}, m.Log)
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("cannot import %s: dokku %s failed", v.Ref, failed[0])
	}
	return err
}

// A serviceHere is a service of the old server, as an app sees it.
type serviceHere struct {
	services.Ref
	err    error // nil: it is here as it is there
	linked bool  // the app uses it there
}

// servicesFor are the services that an app may use; nil: no app.
func (m *Mover) servicesFor(a *App) (list []serviceHere) {
	for _, v := range m.From.Services {
		err, tried := m.taken[v.Ref]
		if !tried {
			err = errors.New("it is not imported")
		}
		list = append(list, serviceHere{v.Ref, err, a != nil && a.Uses(v)})
	}
	return list
}

// Uses reports whether an app is linked to a service, or has a variable that leads to it.
func (a *App) Uses(v *Service) bool {
	if slices.Contains(v.Links, a.Name) {
		return true
	}
	for _, value := range a.Config {
		if kind, name := serviceOf(value); kind != "" && v.Host() == "dokku-"+kind+"-"+name {
			return true
		}
	}
	return false
}

// leadsTo finds the service to which a variable of an app leads; ok is false for none that is
// known here.
func (h Have) leadsTo(kind, name string) (s serviceHere, ok bool) {
	for _, s := range h.Services {
		if s.Host() == "dokku-"+kind+"-"+name {
			return s, true
		}
	}
	return s, false
}

// links links the app to the services that it uses there, and without which it must
// not run. A variable that leads elsewhere here was set by somebody, and stays.
func (p *planning) links(a *App) {
	for _, s := range p.have.Services {
		if !s.linked || p.have.Links[s.Ref] {
			continue
		}
		if s.err != nil {
			p.blocked = fmt.Sprintf("it needs %s, whose import failed (see above)", s.Ref)
			continue
		}
		if p.elsewhere(a, s) {
			p.note("it is not linked to %s, since its variables lead elsewhere here: dokku %s:link %s %s", s.Ref, s.Kind, s.Name, a.Name)
			continue
		}
		p.steps = append(p.steps, Step{Words: []string{s.Kind + ":link", "--no-restart", "--", s.Name, a.Name}, Needed: true})
	}
}

// elsewhere reports whether all variables that lead to a service there have other values here.
func (p *planning) elsewhere(a *App, s serviceHere) bool {
	found := false
	for key, value := range a.Config {
		if kind, name := serviceOf(value); kind == "" || s.Host() != "dokku-"+kind+"-"+name {
			continue
		}
		if here, ok := p.have.Config[key]; !ok || here == value {
			return false
		}
		found = true
	}
	return found
}
