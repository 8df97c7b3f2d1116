package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/store"
)

// A Manager keeps the services of one DOKKU_ROOT. Operations lock the service. It is safe
// for concurrent use.
type Manager struct {
	Store *store.Store
	Host  engine.Host
	// Room returns how many bytes may be written on the disk of the data; nil: any number.
	Room func() int64
}

// KindsDir is the folder of kinds that the administrator of the host adds.
func KindsDir(s *store.Store) string { return s.Own("services.d") }

// Kind returns a kind by its name.
func (m *Manager) Kind(name string) (Kind, error) {
	list, err := Kinds(KindsDir(m.Store))
	at := slices.IndexFunc(list, func(k Kind) bool { return k.Name == name })
	if at >= 0 {
		return list[at], nil
	}
	return Kind{}, errors.Join(fmt.Errorf("there is no kind of service %q in %s", name, KindsDir(m.Store)), err)
}

// grace is the time between the signal that stops a service and the one that kills it.
const grace = time.Minute

// with runs f with a service under its lock, once what others have left is settled.
func (m *Manager) with(ctx context.Context, k Kind, name, step string, log event.Log, f func(*Service) error) error {
	if _, err := m.Load(k, name); err != nil {
		return err // without the lock: a refused command leaves no trace
	}
	l, err := m.lock(ctx, Ref{k.Name, name}, k.Name+":"+step, log)
	if err != nil {
		return err
	}
	defer l.Release()
	if err := m.settle(ctx, k, name, log); err != nil {
		return err
	}
	l.Abandoned = false
	s, err := m.Load(k, name)
	if err != nil {
		return err
	}
	return f(s)
}

// Hold runs f with a service that no other operation changes meanwhile.
func (m *Manager) Hold(ctx context.Context, k Kind, name, step string, log event.Log, f func(*Service) error) error {
	return m.with(ctx, k, name, step, log, f)
}

// StartHeld starts a service of Hold, unless it runs.
func (m *Manager) StartHeld(ctx context.Context, k Kind, s *Service, log event.Log) error {
	if i, ok, err := m.Instance(ctx, s); err != nil || ok && i.Running() {
		return err
	}
	log.Warn("%s service %s is not running, issuing service start", k.Title, s.Name)
	return m.start(ctx, k, s, log)
}

// settle finishes or undoes what an operation left that was killed. The caller holds the
// service's lock.
func (m *Manager) settle(ctx context.Context, k Kind, name string, log event.Log) error {
	r := Ref{k.Name, name}
	s, err := m.record(r)
	if errors.Is(err, fs.ErrNotExist) {
		if _, none := os.Lstat(m.dir(r)); none != nil {
			return nil
		}
		return m.Store.Disk.RemoveAll(m.dir(r)) // it was being removed
	}
	if err != nil {
		return err
	}
	m.Store.SweepTemporary(m.dir(r))
	switch {
	case s.Phase == Creating:
		log.Warn("The creation of %s was interrupted: undoing it", r)
		return m.remove(ctx, k, s, false)
	case s.Phase == Destroying:
		if err := m.remove(ctx, k, s, false); !errors.Is(err, engine.ErrInUse) {
			return err
		}
		return nil // an app that retires has yet to leave its network
	case s.Phase == Kept:
		if err := m.remove(ctx, k, s, true); !errors.Is(err, engine.ErrInUse) {
			return err
		}
		return nil
	case s.Former != nil:
		log.Warn("A change of %s was interrupted: undoing it", r)
		return m.back(ctx, k, s)
	case s.Next != nil:
		log.Warn("An upgrade of %s was interrupted: undoing it", r)
		return m.undoCopy(ctx, k, s)
	}
	if len(s.Unneeded) > 0 {
		if err := m.removeContainers(ctx, s, s.Container.Attempt); err != nil {
			return err
		}
	}
	return m.dropVolumes(ctx, k, s)
}

// back brings the former container of a service back, with its data. It can be repeated.
func (m *Manager) back(ctx context.Context, k Kind, s *Service) error {
	if err := m.removeContainers(ctx, s, s.Former.Attempt); err != nil {
		return err
	}
	lost := s.Container
	next := *s
	next.Container, next.Former = *s.Former, nil
	if lost.Volume != next.Container.Volume {
		next.Unneeded = append(slices.Clone(s.Unneeded), lost)
	}
	if err := m.save(&next); err != nil {
		return err
	}
	*s = next
	if err := m.dropVolumes(ctx, k, s); err != nil || s.Stopped {
		return err
	}
	return m.run(ctx, k, s)
}

// dropVolumes removes the volumes of containers that the service no longer has.
func (m *Manager) dropVolumes(ctx context.Context, k Kind, s *Service) error {
	if len(s.Unneeded) == 0 {
		return nil
	}
	for _, c := range s.Unneeded {
		for _, v := range k.volumes(c) {
			if err := m.Host.Remove(ctx, engine.Resource{Kind: engine.VolumeKind, ID: v.Source}); err != nil {
				return err
			}
		}
	}
	s.Unneeded = nil
	return m.save(s)
}

// remove removes all that there is of a service; with keepData all but its data and its
// record. It can be repeated. While an app that retires has not left the network, it fails
// with engine.ErrInUse, and only the network and the record are left.
func (m *Manager) remove(ctx context.Context, k Kind, s *Service, keepData bool) error {
	if err := m.removeContainers(ctx, s, ""); err != nil {
		return err
	}
	containers := slices.Clone(s.Unneeded)
	if !keepData {
		containers = append(containers, s.Container)
		if s.Former != nil {
			containers = append(containers, *s.Former)
		}
		if s.Previous != nil {
			containers = append(containers, s.Previous.Container)
		}
	}
	for _, c := range containers {
		for _, v := range k.volumes(c) {
			if err := m.Host.Remove(ctx, engine.Resource{Kind: engine.VolumeKind, ID: v.Source}); err != nil {
				return err
			}
		}
	}
	o, err := m.observe(ctx, s.Ref())
	if err != nil {
		return err
	}
	for _, n := range o.Networks {
		if err := m.Host.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: n.ID}); err != nil {
			return err
		}
	}
	if keepData {
		return nil
	}
	if err := m.Store.At("remove the service's folder"); err != nil {
		return err
	}
	if err := m.Store.Disk.RemoveAll(m.dir(s.Ref())); err != nil {
		return err
	}
	return m.Store.Disk.Sync(m.Store.Own("services", s.Kind))
}

// removeContainers stops and removes the service's containers, except for that of an
// attempt.
func (m *Manager) removeContainers(ctx context.Context, s *Service, except string) error {
	o, err := m.observe(ctx, s.Ref())
	if err != nil {
		return err
	}
	for _, i := range o.Instances {
		if except != "" && i.Attempt == except {
			continue
		}
		if err := m.Host.Stop(ctx, i.ID, grace); err != nil {
			return err
		}
		if err := m.Host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
			return err
		}
	}
	return nil
}

// observe returns what the engine has of a service.
func (m *Manager) observe(ctx context.Context, r Ref) (engine.Observed, error) {
	o, err := m.Host.Observe(ctx, r.Owner())
	if err != nil {
		err = fmt.Errorf("cannot look at %s: %w", r, inner(err))
	}
	return o, err
}

// network makes the network of a service, if there is none.
func (m *Manager) network(ctx context.Context, r Ref) error {
	_, err := m.Host.Network(ctx, r.Owner())
	if err != nil {
		err = fmt.Errorf("cannot make the network of %s: %w", r, inner(err))
	}
	return err
}

// inner is an error of the engine without what it says of an app of that name.
func inner(err error) error { return cmp.Or(errors.Unwrap(err), err) }

// Instance returns the service's container; ok is false if there is none.
func (m *Manager) Instance(ctx context.Context, s *Service) (i engine.Instance, ok bool, err error) {
	o, err := m.observe(ctx, s.Ref())
	if err != nil {
		return i, false, err
	}
	at := slices.IndexFunc(o.Instances, func(i engine.Instance) bool { return i.Name == s.Ref().ContainerName() })
	if at < 0 {
		return i, false, nil
	}
	return o.Instances[at], true, nil
}

// Running returns the service's running container, or an error in the words of Dokku's
// plugins.
func (m *Manager) Running(ctx context.Context, s *Service) (engine.Instance, error) {
	i, ok, err := m.Instance(ctx, s)
	switch {
	case err != nil:
		return i, err
	case !ok:
		return i, fmt.Errorf("Service %s container does not exist: start it with dokku %s:start %[1]s", s.Name, s.Kind)
	case !i.Running():
		return i, fmt.Errorf("Service %s container is not running: start it with dokku %s:start %[1]s", s.Name, s.Kind)
	}
	return i, nil
}

// Settle brings a service to rest for the agent: it finishes or undoes what a killed
// operation left, and starts the service if it should run and does not; acted says that it
// did. It never waits: done is false while something else has the service's lock.
func (m *Manager) Settle(ctx context.Context, r Ref, log event.Log) (acted, done bool, err error) {
	k, err := m.Kind(r.Kind)
	if err != nil {
		return false, true, err
	}
	l, free, err := m.Store.TryLock(r.Owner(), "the agent")
	if err != nil || !free {
		return false, false, err
	}
	defer l.Release()
	if err := m.settle(ctx, k, r.Name, log); err != nil {
		return false, true, err
	}
	l.Abandoned = false
	s, err := m.record(r)
	if errors.Is(err, fs.ErrNotExist) {
		return false, true, nil
	}
	if err != nil || s.Phase != Ready || s.Stopped {
		return false, true, err
	}
	i, ok, err := m.Instance(ctx, s)
	if err != nil || ok && i.Attempt == s.Container.Attempt && (i.Running() || i.Status == engine.StatusRestarting || i.Status == engine.StatusPaused) {
		return false, true, err
	}
	log.Warn("%s is not running: starting it", r)
	err = m.run(ctx, k, s)
	return err == nil, true, err
}

// Pending reports whether an operation on the service was not finished, by its record
// alone.
func (m *Manager) Pending(r Ref) bool {
	s, err := m.record(r)
	if errors.Is(err, fs.ErrNotExist) {
		_, gone := os.Stat(m.dir(r))
		return gone == nil
	}
	return err == nil && (s.Phase == Creating || s.Phase == Destroying || s.Former != nil || s.Next != nil || len(s.Unneeded) > 0 || len(s.Waiting) > 0)
}
