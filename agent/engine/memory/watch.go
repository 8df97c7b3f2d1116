package memory

import (
	"context"
	"slices"

	"dokku/agent/engine"
)

// watcher is one call of Watch; its queue belongs to Engine.mu.
type watcher struct {
	queue []engine.Event
	wake  chan struct{} // holds one token while queue has something new
}

// tell tells all watchers of a container's change; m.mu is held.
func (m *Engine) tell(p *process, action engine.Action) {
	e := engine.Event{App: p.App, ID: p.ID, Action: action, At: now(), Placed: p.group != nil}
	if action == engine.ActionDie {
		e.ExitCode = p.ExitCode
	}
	m.emit(e)
}

// emit tells all watchers; m.mu is held.
func (m *Engine) emit(e engine.Event) {
	for _, w := range m.watchers {
		w.queue = append(w.queue, e)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Watch implements Watcher.
func (m *Engine) Watch(ctx context.Context, events chan<- engine.Event) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		w := &watcher{queue: []engine.Event{{Action: engine.ActionConnected}}, wake: make(chan struct{}, 1)}
		w.wake <- struct{}{}
		m.mu.Lock()
		m.watchers = append(m.watchers, w)
		m.mu.Unlock()
		defer func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.watchers = slices.DeleteFunc(m.watchers, func(o *watcher) bool { return o == w })
		}()
		for {
			select {
			case <-w.wake:
			case <-ctx.Done():
				return none, ctx.Err()
			}
			m.mu.Lock()
			queue := w.queue
			w.queue = nil
			m.mu.Unlock()
			for _, e := range queue {
				select {
				case events <- e:
				case <-ctx.Done():
					return none, ctx.Err()
				}
			}
		}
	}, "Watch")
	return err
}
