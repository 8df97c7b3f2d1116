package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/store"
)

// Options are what a person may choose of a service's container. Zero values leave the
// kind's default, or what there is.
type Options struct {
	Image, Version         string
	Env                    *string // "NAME=value;OTHER=value"
	Config                 *string // arguments of the server
	Memory                 int     // megabytes
	ShmSize                string
	Password, RootPassword string
	Database               string // "": one that is made of the name
	// Properties are those of SERVICE:set.
	Properties map[string]string
	// Kept: take up the data of a service of this name that was destroyed with --keep-data.
	Kept bool
}

// Properties are the names of the properties of SERVICE:set, all of them lists of networks.
var Properties = []string{"initial-network", "post-create-network", "post-start-network"}

var pair = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// apply changes a container as the options say.
func (o Options) apply(k Kind, c *Container) error {
	name, version := splitImage(c.Image)
	if o.Image != "" {
		name, version = splitImage(o.Image)
		if version == "" {
			version = k.Version
		}
	}
	if o.Version != "" {
		version = o.Version
	}
	c.Image = name + ":" + version
	if o.Env != nil {
		c.Env = nil
		for word := range strings.SplitSeq(*o.Env, ";") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			if !pair.MatchString(word) {
				//lint:ignore ST1005 a message of SERVICE:create
				return fmt.Errorf("Invalid value for --custom-env: %q is not NAME=value; separate several with semicolons", event.OneLine(word))
			}
			c.Env = append(c.Env, word)
		}
	}
	if o.Config != nil {
		c.Options = *o.Config
	}
	if o.Memory != 0 {
		c.Memory = o.Memory
	}
	if o.ShmSize != "" {
		n, err := units.RAMInBytes(o.ShmSize)
		if err != nil || n <= 0 {
			//lint:ignore ST1005 a message of SERVICE:create
			return fmt.Errorf("Invalid value %q for --shm-size: give a size such as 256m", event.OneLine(o.ShmSize))
		}
		c.ShmSize = n
	}
	return nil
}

// networks lists the networks of properties.
func networks(properties map[string]string) (list []string) {
	for _, name := range Properties {
		for _, n := range app.SplitNetworks(properties[name]) {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	return list
}

// Create makes a service and waits until it is ready.
func (m *Manager) Create(ctx context.Context, k Kind, name string, o Options, log event.Log) (*Service, error) {
	return m.create(ctx, k, name, o, making{}, log)
}

// making are the steps of a creation beside those of every one; nil ones are left out.
type making struct {
	load func(ctx context.Context, s *Service) error // loads data
	last func(ctx context.Context, s *Service) error // comes after that, on a service that is ready
}

// create makes a service. Until all steps are done, it is in the phase Creating: a failure, or
// a kill, leaves nothing of it.
func (m *Manager) create(ctx context.Context, k Kind, name string, o Options, steps making, log event.Log) (*Service, error) {
	if err := ValidName(name); err != nil {
		return nil, err
	}
	r := Ref{k.Name, name}
	c := Container{Image: k.Default(), Options: k.Options, Memory: k.Memory, Restricted: !k.Unrestricted}
	if kept, err := m.record(r); err == nil && kept.Phase == Kept {
		c = kept.Container
		c.Ports = nil
	}
	if err := o.apply(k, &c); err != nil {
		return nil, err
	}
	if err := m.free(k, r, o); err != nil {
		return nil, err
	}
	l, err := m.lock(ctx, r, k.Name+":create", log)
	if err != nil {
		return nil, err
	}
	defer l.Release()
	if err := m.settle(ctx, k, name, log); err != nil {
		return nil, err
	}
	l.Abandoned = false
	if err := m.free(k, r, o); err != nil {
		return nil, err
	}
	if err := m.ensureImage(ctx, k, c.Image, log); err != nil {
		return nil, err
	}
	s, err := m.begin(k, r, c, o)
	if err != nil {
		return nil, err
	}
	if err = m.bringUp(ctx, k, s, steps, log); err != nil {
		after := context.WithoutCancel(ctx)
		undone := m.remove(after, k, s, s.Phase == Kept)
		return nil, errors.Join(err, undone)
	}
	return s, nil
}

// free returns an error unless the name can be given to a new service.
func (m *Manager) free(k Kind, r Ref, o Options) error {
	s, err := m.record(r)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if o.Kept {
			//lint:ignore ST1005 a message of SERVICE:create
			return fmt.Errorf("There are no kept data of a %s service %s: leave out --keep-data", k.Title, r.Name)
		}
		return nil
	case err != nil:
		return err
	case s.Phase == Ready:
		return fmt.Errorf("%s service %s already exists", k.Title, r.Name)
	case s.Phase == Kept && !o.Kept:
		//lint:ignore ST1005 a message of SERVICE:create
		return fmt.Errorf("The data of a destroyed %s service %s are kept: to take them up again: dokku %[3]s:create %[2]s --keep-data; "+
			"to remove them: dokku %[3]s:destroy %[2]s --force", k.Title, r.Name, k.Name)
	}
	return nil
}

// begin writes the record of a service that is being created.
func (m *Manager) begin(k Kind, r Ref, c Container, o Options) (*Service, error) {
	s, err := m.record(r)
	kept := err == nil && s.Phase == Kept
	if !kept {
		s = &Service{Kind: k.Name, Name: r.Name, Phase: Creating, Created: time.Now().UTC().Truncate(time.Second),
			Database: strings.NewReplacer(".", "_", "-", "_").Replace(r.Name), Password: secret(k.PasswordBytes), RootPassword: secret(k.RootPasswordBytes)}
		if o.Database != "" {
			s.Database = o.Database
		}
		if o.Password != "" {
			s.Password = o.Password
		}
		if o.RootPassword != "" && k.RootPasswordBytes > 0 {
			s.RootPassword = o.RootPassword
		}
	}
	s.Stopped = false
	s.Properties = app.Merged(s.Properties, o.Properties)
	c.Attempt, c.Networks = app.NewAttempt(), networks(s.Properties)
	if !kept && len(k.folders(c.Image)) > 0 {
		c.Volume = r.ContainerName() + "." + c.Attempt
	}
	s.Container = c
	if err := m.Store.Disk.MkdirAll(m.dir(r), 0o700); err != nil {
		return nil, err
	}
	if err := m.writeConfig(k, s); err != nil {
		return nil, err
	}
	return s, m.save(s)
}

// writeConfig writes the files of configuration that are not there. The folder above them is
// the owner's alone; the service, which is another user, sees the files.
func (m *Manager) writeConfig(k Kind, s *Service) error {
	if len(k.Config.Files) == 0 {
		return nil
	}
	dir := m.ConfigDir(s.Ref())
	if err := m.Store.Disk.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	t := m.texts(k, s)
	for name, text := range k.Config.Files {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := m.Store.Disk.Replace(path, []byte(t.fill(text)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bringUp starts a service that is being created, loads its data, and makes it ready.
func (m *Manager) bringUp(ctx context.Context, k Kind, s *Service, steps making, log event.Log) error {
	if steps.load != nil && k.Load.Offline {
		if err := steps.load(ctx, s); err != nil {
			return err
		}
	}
	log.Detail("Waiting for container to be ready")
	if err := m.run(ctx, k, s); err != nil {
		return err
	}
	i, err := m.Running(ctx, s)
	if err == nil {
		err = m.initialise(ctx, k, s, i.ID)
	}
	if err != nil {
		return err
	}
	if steps.load != nil && !k.Load.Offline {
		if err := steps.load(ctx, s); err != nil {
			return err
		}
	}
	if steps.last != nil {
		if err := steps.last(ctx, s); err != nil {
			return err
		}
	}
	ready := *s
	ready.Phase = Ready
	if err := m.save(&ready); err != nil {
		return err
	}
	*s = ready
	return nil
}

// initialise sets up a service that is ready for the first time.
func (m *Manager) initialise(ctx context.Context, k Kind, s *Service, id string) error {
	if len(k.Init.Command) == 0 {
		return nil
	}
	out, exit, err := m.exec(ctx, k, s, id, k.Init)
	if err == nil && exit != 0 {
		err = fmt.Errorf("cannot set up %s: %s", s.Ref(), printable(out))
	}
	return err
}

// replace gives a service another container. If that does not become ready, the former one
// comes back.
func (m *Manager) replace(ctx context.Context, k Kind, s *Service, next Container) error {
	former := s.Container
	next.Attempt = app.NewAttempt()
	changed := *s
	changed.Container, changed.Former = next, &former
	if err := m.save(&changed); err != nil {
		return err
	}
	*s = changed
	if !s.Stopped {
		if err := m.run(ctx, k, s); err != nil {
			if back := m.back(context.WithoutCancel(ctx), k, s); back != nil {
				return fmt.Errorf("%w\n%s does not run again as before, and the agent will retry: %w", err, s.Ref(), back)
			}
			return fmt.Errorf("%w\n%s runs as before", err, s.Ref())
		}
	}
	return m.commit(ctx, k, s, former)
}

// commit makes a service's new container its only one.
func (m *Manager) commit(ctx context.Context, k Kind, s *Service, former Container) error {
	done := *s
	done.Former = nil
	if former.Volume != done.Container.Volume {
		done.Unneeded = append(slices.Clone(s.Unneeded), former)
	}
	ctx = context.WithoutCancel(ctx)
	err := m.save(&done)
	if unsynced := new(store.UnsyncedError); err != nil && !errors.As(err, &unsynced) {
		return errors.Join(err, m.back(ctx, k, s))
	}
	*s = done
	if err == nil {
		_ = m.dropVolumes(ctx, k, s) // the change stands, and the agent removes them later
	}
	return err
}

// Destroy removes a service. used lists the apps that use it: with any, the service stays.
// With keepData its data and secrets stay.
func (m *Manager) Destroy(ctx context.Context, k Kind, name string, keepData bool, used func(Ref) ([]string, error), log event.Log) error {
	r := Ref{k.Name, name}
	l, err := m.lock(ctx, r, k.Name+":destroy", log)
	if err != nil {
		return err
	}
	defer l.Release()
	if err := m.settle(ctx, k, name, log); err != nil {
		return err
	}
	l.Abandoned = false
	s, err := m.record(r)
	if errors.Is(err, os.ErrNotExist) || err == nil && s.Phase != Ready && s.Phase != Kept {
		return &NoServiceError{k.Title, name}
	}
	if err != nil {
		return err
	}
	apps, err := used(r)
	if err != nil {
		return err
	}
	if len(apps) > 0 {
		//lint:ignore ST1005 the text is that of Dokku's plugins
		return fmt.Errorf("Cannot delete linked service: %s %s is used by %s; unlink it first with dokku %[4]s:unlink %[2]s %[5]s",
			k.Title, name, strings.Join(apps, ", "), k.Name, apps[0])
	}
	if s.Phase = Destroying; keepData {
		s.Phase = Kept
	}
	if err := m.save(s); err != nil {
		return err
	}
	err = m.remove(context.WithoutCancel(ctx), k, s, keepData)
	if errors.Is(err, engine.ErrInUse) {
		log.Detail("An app that is being stopped still uses the service's network, which is removed after it")
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s is being destroyed, and some of it may be gone already; the agent will retry: %w", r, err)
	}
	return nil
}
