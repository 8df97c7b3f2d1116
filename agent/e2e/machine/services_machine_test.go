package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent"
	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/services/servicestest"
	"dokku/agent/vault"
)

// served plays the services of all machines, whose engines keep the data.
var served = &servicestest.Fake{}

// servicesOf are the services that operations name.
var servicesOf = []services.Ref{{Kind: "postgres", Name: "db"}, {Kind: "redis", Name: "q"}, {Kind: "redis", Name: "copy"}}

func serviceLocks() (list []string) {
	for _, r := range servicesOf {
		list = append(list, r.Owner())
	}
	return list
}

// newBase is the machine from which an operation of TestKilledAnywhere starts.
func newBase(t *testing.T, h history, from agenttest.Base) *machine {
	t.Helper()
	m := newMachine(t, h)
	if from == agenttest.Clustered {
		check(t, m.formSwarm())
	}
	if from != agenttest.Served {
		m.count, m.names = 0, nil
		return m
	}
	s, err := m.server.Services()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range servicesOf[:2] {
		k, err := s.Kind(r.Kind)
		if err != nil {
			t.Fatal(err)
		}
		o := services.Options{Password: "secret"} // it is in the URL: outcomes of different machines are compared
		if r.Kind == "postgres" {
			o.Version = "18.3"
		}
		made, err := s.Create(t.Context(), k, r.Name, o, event.Log{})
		if err != nil {
			t.Fatal(err)
		}
		m.engine.Volume(made.Container.Volume).Set(servicestest.Head + "old")
	}
	m.count, m.names = 0, nil
	return m
}

// serviceCommand runs a command of a service.
func (m *machine) serviceCommand(ctx context.Context, words []string) error {
	s, err := m.server.Services()
	if err != nil {
		return err
	}
	kind, verb, _ := strings.Cut(words[0], ":")
	k, err := s.Kind(kind)
	if err != nil {
		return err
	}
	name, none := words[1], event.Log{}
	link := agent.LinkOptions{Restart: true, Announce: func(map[string]string, []string) {}}
	dump := strings.NewReader(servicestest.Head + "new")
	switch verb {
	case "create":
		_, err = s.Create(ctx, k, name, services.Options{}, none)
	case "clone":
		_, err = s.Clone(ctx, k, name, words[2], services.Options{}, none)
	case "restore":
		_, err = s.Restore(ctx, k, name, services.Options{}, dump, none)
	case "backup":
		err = m.backUpService(ctx, s, k, name)
	case "link":
		err = m.server.Link(ctx, k, name, words[2], link, none)
	case "unlink":
		err = m.server.Unlink(ctx, k, name, words[2], link, none)
	case "import":
		err = s.Import(ctx, k, name, dump, none)
	case "upgrade":
		err = m.upgradeService(ctx, s, k, words)
	case "expose":
		err = s.Expose(ctx, k, name, words[2:], none)
	case "isolate":
		err = s.Isolate(ctx, k, name, len(words) == 2, none)
	case "destroy":
		err = s.Destroy(ctx, k, name, len(words) > 2, m.server.LinkedApps, none)
	}
	return err
}

// backUpService makes a backup of a service in a folder of the machine.
func (m *machine) backUpService(ctx context.Context, s *services.Manager, k services.Kind, name string) error {
	svc, err := s.Load(k, name)
	if err != nil {
		return err
	}
	j := backup.ServiceJob(m.server, k, svc, vault.Plan{}, event.Log{})
	_, err = j.Run(ctx, vault.Plan{Place: filepath.Join(m.root, ".dokku", "kept")}, j.Source, vault.Options{}, event.Log{})
	return err
}

// upgradeService runs an upgrade, with the words after it: --back, --forget, or a
// version and --restart-apps.
func (m *machine) upgradeService(ctx context.Context, s *services.Manager, k services.Kind, words []string) error {
	name, none := words[1], event.Log{}
	var around services.Around
	if words[len(words)-1] == "--restart-apps" {
		around = func(svc *services.Service, work func() error) error {
			return m.server.WithoutApps(ctx, s, svc, none, work)
		}
	}
	switch {
	case len(words) == 2:
		return s.Upgrade(ctx, k, name, services.Options{}, none, nil, nil)
	case words[2] == "--back":
		return s.Back(ctx, k, name, none, nil)
	case words[2] == "--forget":
		return s.Forget(ctx, k, name, none)
	}
	return s.Upgrade(ctx, k, name, services.Options{Version: words[2]}, none, nil, around)
}

// settleServices is the agent's look at the services.
func (m *machine) settleServices() error {
	s, err := m.server.Services()
	if err != nil {
		return err
	}
	all, err := s.All()
	if err != nil {
		return err
	}
	for _, r := range all {
		done := false
		for range manyTries { // a process that another test starts holds all open files for a moment
			if _, done, err = s.Settle(context.Background(), r, event.Log{}); done || err != nil {
				break
			}
		}
		if err == nil && done {
			err = m.server.StartWaiting(context.Background(), r, event.Log{})
		}
		if err != nil || !done {
			return fmt.Errorf("the agent cannot bring %s to rest: done=%v, %w", r, done, err)
		}
	}
	return nil
}

// askedServices is what operations can change of the services, as text.
func (m *machine) askedServices() (list []string) {
	s := &services.Manager{Store: m.server.Env.Store}
	for _, r := range servicesOf {
		k, _ := s.Kind(r.Kind)
		svc, err := s.Load(k, r.Name)
		volume, _ := s.Volume(k, r.Name)
		switch none := new(services.NoServiceError); {
		case errors.As(err, &none) && volume != "":
			list = append(list, fmt.Sprintf("%s is kept: %q", r, m.engine.Volume(volume).Get()))
		case errors.As(err, &none):
		case err != nil:
			list = append(list, err.Error())
		default:
			text := fmt.Sprintf("%s: %s %v %q, stopped %v, importing %v", r, svc.Container.Image, svc.Container.Ports, m.engine.Volume(volume).Get(), svc.Stopped, svc.Importing)
			if p := svc.Previous; p != nil {
				text += fmt.Sprintf(", before %s %q", p.Container.Image, m.engine.Volume(p.Container.Volume).Get())
			}
			list = append(list, text)
		}
	}
	return list
}

// servicesRest returns an error unless each service runs as its record says, and nothing
// else of services is left.
func (m *machine) servicesRest() error {
	ctx := context.Background()
	s, err := m.server.Services()
	if err != nil {
		return err
	}
	all, err := s.All()
	if err != nil {
		return err
	}
	o, err := m.engine.Observe(ctx, "")
	if err != nil {
		return err
	}
	containers, networks := 0, 0
	volumes := slices.DeleteFunc(m.engine.Volumes(), func(name string) bool { return !strings.HasPrefix(name, "dokku.") })
	for _, r := range all {
		k, err := s.Kind(r.Kind)
		if err != nil {
			return err
		}
		volume, err := s.Volume(k, r.Name)
		if err != nil || s.Pending(r) {
			data, _ := os.ReadFile(s.Root(r) + "/service.json")
			return fmt.Errorf("%s is not at rest (%w): %s", r, err, data)
		}
		at := slices.Index(volumes, volume)
		if at < 0 {
			return fmt.Errorf("the volume of %s is gone; there are %v", r, volumes)
		}
		volumes = slices.Delete(volumes, at, at+1)
		svc, err := s.Load(k, r.Name)
		if err != nil {
			continue // its data are kept
		}
		if p := svc.Previous; p != nil {
			volumes = slices.DeleteFunc(volumes, func(name string) bool { return name == p.Container.Volume })
		}
		i, ok, err := s.Instance(ctx, svc)
		if err != nil || !ok || !i.Running() || i.Attempt != svc.Container.Attempt {
			return fmt.Errorf("%s does not run as it should: %+v (%w)", r, i, err)
		}
		containers, networks = containers+1, networks+1
	}
	apps, err := m.observeApps()
	if c, n := len(o.Instances)-len(apps.Instances), len(o.Networks)-len(apps.Networks); err != nil || c != containers || n != networks || len(volumes) > 0 {
		return fmt.Errorf("services have %d containers, %d networks, want %d and %d; left are the volumes %v (%w)", c, n, containers, networks, volumes, err)
	}
	return nil
}

// observeApps is what the engine has of apps.
func (m *machine) observeApps() (engine.Observed, error) {
	o, err := m.engine.Observe(context.Background(), "")
	service := func(owner string) bool { _, ok := app.ServiceOf(owner); return ok }
	o.Instances = slices.DeleteFunc(o.Instances, func(i engine.Instance) bool { return service(i.App) })
	o.Networks = slices.DeleteFunc(o.Networks, func(n engine.Network) bool { return service(n.App) })
	return o, err
}
