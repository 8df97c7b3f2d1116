package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Start implements Engine.
func (m *Memory) Start(ctx context.Context, spec Spec) (Instance, error) {
	return call(ctx, m, func() (Instance, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		i, err := m.start(spec)
		if err != nil {
			return Instance{}, fmt.Errorf("cannot start %s: %w", spec.title(), err)
		}
		return i, nil
	}, "Start", spec)
}

func (m *Memory) start(spec Spec) (Instance, error) {
	if err := spec.check(); err != nil {
		return Instance{}, err
	}
	image := m.image(spec.Image)
	if image == nil {
		return Instance{}, fmt.Errorf("%w (%s): build the app again, with ps:rebuild", ErrNoImage, spec.Image)
	}
	p, made := m.find(spec.Name), false
	switch {
	case p == nil || p.Name != spec.Name:
		p, made = m.create(spec, image), true
	case !spec.made(p.spec.labels()):
		return Instance{}, fmt.Errorf("%w (%s by %s): remove or rename that container",
			ErrNameInUse, spec.Name, short(p.ID))
	case p.Running(), p.Status == StatusRestarting:
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
		return Instance{}, err
	}
	m.run(p)
	return p.Instance, nil
}

func (m *Memory) drop(p *process) {
	m.containers = slices.DeleteFunc(m.containers, func(o *process) bool { return o == p })
	p.Status = StatusRemoving
	p.notify()
}

// Rename implements Engine.
func (m *Memory) Rename(ctx context.Context, id, name string) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p, holder := m.find(id), m.find(name)
		switch {
		case p == nil:
			err = fmt.Errorf("%w (%s)", ErrNoContainer, short(id))
		case holder != nil && holder != p:
			err = fmt.Errorf("%w (%s): remove or rename that container", ErrNameInUse, name)
		default:
			p.Name = name
			return none, nil
		}
		return none, fmt.Errorf("cannot rename container %s to %s: %w", short(id), name, err)
	}, "Rename", id, name)
	return err
}

// Stop implements Engine.
func (m *Memory) Stop(ctx context.Context, id string, grace time.Duration) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil || !p.Running() && p.Status != StatusRestarting {
			return none, nil
		}
		if p.Status == StatusRestarting {
			m.end(p, p.ExitCode, p.OOMKilled)
			return none, nil
		}
		for _, text := range p.behaviour.OnStop {
			p.print(text)
		}
		if p.behaviour.IgnoreStop {
			m.mu.Unlock()
			pause(ctx, grace)
			m.mu.Lock()
			if err := ctx.Err(); err != nil {
				return none, fmt.Errorf("cannot stop container %s: %w", short(id), err)
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
func (m *Memory) Remove(ctx context.Context, r Resource) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch r.Kind {
		case Container:
			m.removeContainer(r.ID)
		case NetworkKind:
			err = m.removeNetwork(r.ID)
		case ImageKind:
			m.removeImage(r.ID, r.App)
		default:
			err = fmt.Errorf("there is no kind of resource %q", r.Kind)
		}
		if err != nil {
			return none, fmt.Errorf("cannot remove %s %s: %w", r.Kind, short(r.ID), err)
		}
		return none, nil
	}, "Remove", r)
	return err
}

func (m *Memory) removeContainer(id string) {
	p := m.find(id)
	if p == nil {
		return
	}
	if p.Running() {
		m.end(p, 137, false)
	}
	m.drop(p)
	m.emit(Event{App: p.App, ID: p.ID, Action: ActionDestroy})
}

func (m *Memory) removeNetwork(id string) error {
	every := m.everyNetwork()
	n := slices.IndexFunc(every, func(n NetworkInfo) bool { return n.ID == id || n.Name == id })
	if n < 0 {
		return nil
	}
	var users []string
	for _, p := range m.containers {
		if every[n].App != "" && p.App == every[n].App || slices.Contains(p.spec.Joins, every[n].Name) {
			users = append(users, p.Name)
		}
	}
	if len(users) > 0 {
		slices.Sort(users)
		return fmt.Errorf("%w (%s)", ErrInUse, strings.Join(users, ", "))
	}
	m.nets = slices.DeleteFunc(m.nets, func(o Network) bool { return o.ID == every[n].ID })
	m.shared = slices.DeleteFunc(m.shared, func(o NetworkInfo) bool { return o.ID == every[n].ID })
	return nil
}

func (m *Memory) removeImage(ref, app string) {
	i := m.image(ref)
	if i == nil {
		return
	}
	if slices.ContainsFunc(i.tags, func(tag string) bool { return !strings.HasPrefix(tag, TagPrefix) }) {
		return
	}
	if _, rest := namesOf(app, i.tags); len(rest) > 0 {
		i.tags = rest
		return
	}
	if slices.ContainsFunc(m.containers, func(p *process) bool { return p.Image == i.ID }) {
		return
	}
	m.images = slices.DeleteFunc(m.images, func(o *memoryImage) bool { return o == i })
}
