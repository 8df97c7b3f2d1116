package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dokku/agent/engine"
)

// Start implements Engine.
func (m *Engine) Start(ctx context.Context, spec engine.Spec) (engine.Instance, error) {
	return call(ctx, m, func() (engine.Instance, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		i, err := m.start(spec)
		for end := time.Now().Add(m.patience); errors.Is(err, engine.ErrNoPlace) && time.Now().Before(end); i, err = m.start(spec) {
			m.mu.Unlock()
			engine.Pause(ctx, 50*time.Millisecond)
			m.mu.Lock()
			if ctx.Err() != nil {
				err = ctx.Err()
				break
			}
		}
		if err != nil {
			return engine.Instance{}, fmt.Errorf("cannot start %s: %w", spec.Title(), err)
		}
		return i, nil
	}, "Start", spec)
}

func (m *Engine) start(spec engine.Spec) (engine.Instance, error) {
	if err := spec.Check(); err != nil {
		return engine.Instance{}, err
	}
	if spec.Placement != nil {
		return m.startPlaced(spec)
	}
	image := m.image(spec.Image)
	if image == nil {
		return engine.Instance{}, fmt.Errorf("%w (%s): rebuild the app with ps:rebuild", engine.ErrNoImage, spec.Image)
	}
	p, made := m.find(spec.Name), false
	switch {
	case p == nil || p.Name != spec.Name:
		p, made = m.create(spec, image), true
	case !spec.Made(p.spec.Labels()):
		return engine.Instance{}, fmt.Errorf("%w (%s by %s): remove or rename that container",
			engine.ErrNameInUse, spec.Name, engine.Short(p.ID))
	case p.Running(), p.Status == engine.StatusRestarting:
		return p.Instance, nil
	}
	err := m.attach(spec)
	if err == nil {
		err = m.connect(p)
	}
	if err != nil {
		if made {
			m.drop(p)
		}
		return engine.Instance{}, err
	}
	p.Restarts = 0
	m.run(p)
	return p.Instance, nil
}

func (m *Engine) drop(p *process) {
	m.containers = slices.DeleteFunc(m.containers, func(o *process) bool { return o == p })
	p.Status = engine.StatusRemoving
	p.notify()
}

// Rename implements Engine.
func (m *Engine) Rename(ctx context.Context, id, name string) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p, holder := m.find(id), m.find(name)
		switch {
		case p == nil:
			err = fmt.Errorf("%w (%s)", engine.ErrNoContainer, engine.Short(id))
		case holder != nil && holder != p:
			err = fmt.Errorf("%w (%s): remove or rename that container", engine.ErrNameInUse, name)
		default:
			p.Name = name
			return none, nil
		}
		return none, fmt.Errorf("cannot rename container %s to %s: %w", engine.Short(id), name, err)
	}, "Rename", id, name)
	return err
}

// ForgetRestarts implements Restarts.
func (m *Engine) ForgetRestarts(ctx context.Context, id string) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if p := m.find(id); p != nil && p.Policy.Max > 0 {
			p.Restarts = 0
		}
		return none, nil
	}, "ForgetRestarts", id)
	return err
}

// Stop implements Engine.
func (m *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p != nil && p.group != nil {
			if err := m.seen(); err != nil {
				return none, fmt.Errorf("cannot stop %s: %w", p.Name, err)
			}
			return none, m.stopPlaced(p.group, func(d time.Duration) error { engine.Pause(ctx, d); return ctx.Err() }, grace)
		}
		if p == nil || !p.Running() && p.Status != engine.StatusRestarting {
			return none, nil
		}
		if p.Status == engine.StatusRestarting {
			m.end(p, p.ExitCode, p.OOMKilled)
			return none, nil
		}
		for _, text := range p.behaviour.OnStop {
			p.print(text)
		}
		if p.behaviour.IgnoreStop {
			m.mu.Unlock()
			engine.Pause(ctx, grace)
			m.mu.Lock()
			if err := ctx.Err(); err != nil {
				return none, fmt.Errorf("cannot stop container %s: %w", engine.Short(id), err)
			}
		}
		if p.Running() {
			m.end(p, p.behaviour.stopCode(), false)
		}
		return none, nil
	}, "Stop", id, grace)
	return err
}

// Remove implements Engine.
func (m *Engine) Remove(ctx context.Context, r engine.Resource) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch r.Kind {
		case engine.Container:
			err = m.removeGroup(r.ID)
		case engine.NetworkKind:
			err = m.removeNetwork(r.ID)
		case engine.ImageKind:
			m.removeImage(r.ID, r.App)
		case engine.VolumeKind:
			err = m.removeVolume(r.ID)
		default:
			err = fmt.Errorf("there is no kind of resource %q", r.Kind)
		}
		if err != nil {
			return none, fmt.Errorf("cannot remove %s %s: %w", r.Kind, engine.Short(r.ID), err)
		}
		return none, nil
	}, "Remove", r)
	return err
}

// removeGroup removes a container, or a process that a swarm has placed with all of its group.
func (m *Engine) removeGroup(id string) error {
	p := m.find(id)
	if p == nil || p.group == nil {
		m.removeContainer(id)
		return nil
	}
	if err := m.seen(); err != nil {
		return err
	}
	for _, o := range m.membersOf(p.group) {
		m.removeContainer(o.ID)
	}
	return nil
}

func (m *Engine) removeContainer(id string) {
	p := m.find(id)
	if p == nil {
		return
	}
	if p.Running() {
		m.end(p, 137, false)
	}
	m.drop(p)
	m.tell(p, engine.ActionDestroy)
}

func (m *Engine) removeNetwork(id string) error {
	every := m.everyNetwork()
	n := slices.IndexFunc(every, func(n engine.NetworkInfo) bool { return n.ID == id || n.Name == id })
	if n < 0 {
		return nil
	}
	var users []string
	for _, p := range m.containers {
		own := every[n].App != "" && p.App == every[n].App && (p.group != nil) == (every[n].Driver == "overlay")
		if own || slices.Contains(p.spec.Joins, every[n].Name) {
			users = append(users, p.Name)
		}
	}
	if len(users) > 0 {
		slices.Sort(users)
		return fmt.Errorf("%w (%s)", engine.ErrInUse, strings.Join(users, ", "))
	}
	m.nets = slices.DeleteFunc(m.nets, func(o engine.Network) bool { return o.ID == every[n].ID })
	m.shared = slices.DeleteFunc(m.shared, func(o engine.NetworkInfo) bool { return o.ID == every[n].ID })
	return nil
}

// removeVolume removes a named volume with what processes wrote to it.
func (m *Engine) removeVolume(name string) error {
	if m.inUse(name) {
		return fmt.Errorf("%w (%s)", engine.ErrInUse, name)
	}
	delete(m.named, name)
	maps.DeleteFunc(m.volumes, func(file, _ string) bool { return strings.HasPrefix(file, name+"/") })
	return nil
}

// Volumes lists the named volumes that containers made and nothing removed, sorted.
func (m *Engine) Volumes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.named))
}

func (m *Engine) removeImage(ref, app string) {
	i := m.image(ref)
	if i == nil {
		return
	}
	if _, rest := engine.NamesOf(app, i.tags); len(rest) > 0 {
		i.tags = rest
		return
	}
	if slices.ContainsFunc(m.containers, func(p *process) bool { return p.Image == i.ID }) {
		return
	}
	m.images = slices.DeleteFunc(m.images, func(o *localImage) bool { return o == i })
}
