package swarm

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"dokku/agent/engine"
)

const (
	// roundPause is between two looks at the swarm, at least. A look at many tasks costs the
	// managers a share of their time; it never takes more than one part in roundShare.
	roundPause = time.Second
	roundShare = 20
	// idlePause is between two looks at a swarm that runs nothing of ours, and at an engine
	// in no swarm.
	idlePause = 5 * time.Second
	// answerLimit is how long a node has to answer.
	answerLimit = time.Second
	// gossipPort is the port at which the nodes of a swarm reach each other.
	gossipPort = 7946
)

// Watch implements Watcher. Beside the engine's own events it sends one for each placed
// process that changes.
func (e *Engine) Watch(ctx context.Context, out chan<- engine.Event) error {
	c, cancel := context.WithCancel(ctx)
	var own sync.WaitGroup
	own.Go(func() { (&watcher{engine: e, out: out}).run(c) })
	err := e.Host.Watch(ctx, out)
	cancel()
	own.Wait()
	return err
}

// watcher is one call of Watch.
type watcher struct {
	engine *Engine
	out    chan<- engine.Event
	last   state // what the swarm said last
	blind  bool  // it has not answered since
	seen   map[string]engine.Instance
	asking map[string]bool // nodes that are asked at this moment, by id
	// began is when the last look began, and since when the one before did.
	began, since time.Time
}

// heard is the answer of a node, or that there was none.
type heard struct {
	node   string
	silent bool
}

func (w *watcher) run(ctx context.Context) {
	answers := make(chan heard)
	var asked sync.WaitGroup
	defer asked.Wait()
	w.asking = map[string]bool{}
	for {
		pause := w.round(ctx)
		for id, n := range w.nodes() {
			if w.asking[id] {
				continue
			}
			w.asking[id] = true
			asked.Go(func() {
				h := heard{id, !n.answers(ctx)}
				if h.silent { // perhaps one packet was lost
					h.silent = !n.answers(ctx)
				}
				select {
				case answers <- h:
				case <-ctx.Done():
				}
			})
		}
		next := time.After(pause)
		for waiting := true; waiting; {
			select {
			case h := <-answers:
				delete(w.asking, h.node)
				w.hear(ctx, h)
			case <-next:
				waiting = false
			case <-ctx.Done():
				return
			}
		}
	}
}

// round looks at the swarm and tells of changes. It returns the time until the next look.
func (w *watcher) round(ctx context.Context) time.Duration {
	began := time.Now()
	w.since, w.began = w.began, began
	c, cancel := engine.Within(ctx, lookLimit)
	s, err := w.engine.read(c, "", "")
	cancel()
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil && !errors.Is(err, engine.ErrNoCluster):
		if len(w.seen) == 0 {
			return idlePause
		}
		if !w.blind { // who looks now learns why nothing is to be seen
			w.blind = true
			w.tellAll(ctx)
		}
		return roundPause
	}
	w.last = s
	if w.blind {
		w.blind = false
		w.tellAll(ctx)
	}
	w.tell(ctx)
	if len(s.services) == 0 {
		return idlePause
	}
	return max(roundPause, roundShare*time.Since(began))
}

// hear notes whether a node answers.
func (w *watcher) hear(ctx context.Context, h heard) {
	e := w.engine
	e.mu.Lock()
	changed := e.silent[h.node] != h.silent
	if e.silent == nil {
		e.silent = map[string]bool{}
	}
	e.silent[h.node] = h.silent
	e.mu.Unlock()
	if changed {
		w.tell(ctx)
	}
}

// tell sends an event for each process that is not as it was seen before.
func (w *watcher) tell(ctx context.Context) {
	first := w.seen == nil
	now := map[string]engine.Instance{}
	for _, g := range w.engine.groups(w.last) {
		for _, m := range g.members {
			now[m.ID] = m.Instance
			if action := change(w.seen[m.ID], m.Instance); action != "" && !first {
				w.send(ctx, m.Instance, action)
			}
		}
	}
	for id, i := range w.seen {
		if _, there := now[id]; !there {
			w.send(ctx, i, engine.ActionDestroy)
		}
	}
	w.seen = now
}

// tellAll has everybody look.
func (w *watcher) tellAll(ctx context.Context) {
	told := map[string]bool{}
	for _, i := range w.seen {
		if !told[i.App] {
			told[i.App] = true
			w.send(ctx, i, engine.ActionMove)
		}
	}
}

func (w *watcher) send(ctx context.Context, i engine.Instance, a engine.Action) {
	event := engine.Event{App: i.App, ID: i.ID, Action: a, At: time.Now().UTC(), Placed: true}
	if a == engine.ActionDie {
		event.ExitCode, event.At = i.ExitCode, w.when(i.Finished, event.At)
	}
	select {
	case w.out <- event:
	case <-ctx.Done():
	}
}

// when is the time of an end by this server's clock, where those of nodes and managers are off:
// the end is seen now, and the look before did not see it.
func (w *watcher) when(at, now time.Time) time.Time {
	if at.Before(w.since) {
		return w.since.UTC()
	}
	if at.After(now) {
		return now
	}
	return at
}

// change says what has happened to a process; "" if nothing has.
func change(before, now engine.Instance) engine.Action {
	switch {
	case before.ID == "":
		return engine.ActionCreate
	case now.Restarts > before.Restarts, now.Status == engine.StatusExited && before.Status != engine.StatusExited:
		return engine.ActionDie
	case now.Running() && (!before.Running() || now.Created != before.Created):
		return engine.ActionStart
	case now.Status != before.Status, now.Node != before.Node, now.NodePort != before.NodePort,
		now.Address != before.Address, now.Secure != before.Secure:
		return engine.ActionMove
	}
	return ""
}

// asked is where a node is asked whether it answers.
type asked struct {
	address string
	ports   []int
}

// nodes returns the nodes that run processes or did not answer, by their ids.
func (w *watcher) nodes() map[string]asked {
	nodes := map[string]asked{}
	v := w.engine.view(w.last)
	for id, n := range v.nodes {
		if v.silent[id] && n.Address != "" {
			nodes[id] = asked{n.Address, []int{gossipPort}}
		}
	}
	for _, t := range w.last.tasks {
		n, known := v.nodes[t.NodeID]
		if !known || n.Address == "" || ended(t) {
			continue
		}
		a := nodes[t.NodeID]
		if a.address == "" {
			a = asked{n.Address, []int{gossipPort}}
		}
		if port := v.nodePort(t); port != 0 && len(a.ports) == 1 {
			a.ports = append(a.ports, port)
		}
		nodes[t.NodeID] = a
	}
	return nodes
}

// answers reports whether the node answers at one of its ports at least. A refusal is an
// answer: a process that does not listen is no matter of its node.
func (a asked) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	found := make(chan bool, len(a.ports))
	for _, port := range a.ports {
		go func() {
			err := knock(ctx, net.JoinHostPort(a.address, strconv.Itoa(port)))
			found <- err == nil || errors.Is(err, syscall.ECONNREFUSED)
		}()
	}
	for range a.ports {
		if <-found {
			return true
		}
	}
	return false
}

// knock opens a connection and closes it.
func knock(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return err
}
