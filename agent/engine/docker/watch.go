package docker

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/events"

	"dokku/agent/engine"
)

const (
	// Back-off between attempts to reach the engine again.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second

	// pending is how many events wait for a slow receiver.
	pending = 1024
)

// Watch implements Watcher.
func (d *Engine) Watch(ctx context.Context, out chan<- engine.Event) error {
	wait := firstRetry
	for {
		if d.follow(ctx, out) {
			wait = firstRetry
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.reconnect()
		engine.Pause(ctx, wait)
		wait = min(2*wait, lastRetry)
	}
}

// follow passes events on until the connection or ctx ends. It reports whether
// there was a connection.
func (d *Engine) follow(ctx context.Context, out chan<- engine.Event) (connected bool) {
	cli, err := d.connect(ctx)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	filter := processes("")
	filter.Add("type", string(events.ContainerEventType))
	for _, a := range []engine.Action{engine.ActionCreate, engine.ActionStart, engine.ActionDie, engine.ActionOOM, engine.ActionDestroy} {
		filter.Add("event", string(a))
	}
	messages, failed := cli.Events(ctx, events.ListOptions{
		// The engine answers a moment before it listens to itself.
		Since:   time.Now().UTC().Format(time.RFC3339Nano),
		Filters: filter,
	})
	select {
	case <-failed:
		return false
	default:
	}
	deliver(ctx, messages, failed, out)
	return true
}

// deliver reads the connection even while the receiver does not: the engine drops events
// for a slow reader. A full queue becomes one "connected", which tells the receiver to
// look at everything.
func deliver(ctx context.Context, in <-chan events.Message, failed <-chan error, out chan<- engine.Event) {
	queue := []engine.Event{{Action: engine.ActionConnected}}
	for {
		var next engine.Event
		var send chan<- engine.Event
		if len(queue) > 0 {
			next, send = queue[0], out
		}
		select {
		case send <- next:
			queue = slices.Delete(queue, 0, 1)
		case m := <-in:
			if ofSwarm(m.Actor.Attributes) {
				continue
			}
			if len(queue) == pending {
				queue = []engine.Event{{Action: engine.ActionConnected}}
			}
			queue = append(queue, happened(m))
		case <-failed:
			return
		case <-ctx.Done():
			return
		}
	}
}

func happened(m events.Message) engine.Event {
	code, _ := strconv.Atoi(m.Actor.Attributes["exitCode"]) // only a die has one
	return engine.Event{App: m.Actor.Attributes[engine.LabelApp], ID: m.Actor.ID, Action: engine.Action(m.Action),
		At: time.Unix(0, m.TimeNano).UTC(), ExitCode: code}
}
