package swarm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"dokku/agent/certs"
	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/node"
)

// Engine is a Docker Engine, and the swarm that it manages if it manages one.
type Engine struct {
	engine.Host
	docker *docker.Engine

	mu sync.Mutex
	// silent are the nodes that did not answer when Watch last asked them, by id.
	silent map[string]bool
	// aloneAt is when the engine last said that it is in no swarm; zero: it did not.
	aloneAt time.Time
	// looks are those under way at groups, by id, which members that start together share.
	looks singleflight.Group
	// rising are the groups, by their names, of which members start now.
	rising map[string]*rising

	ports ports

	guard guard
}

var _ engine.Host = (*Engine)(nil)

// Beside adds the processes that d's swarm places to those that d runs itself.
func Beside(d *docker.Engine, c Config) *Engine {
	return &Engine{Host: d, docker: d, guard: guard{config: c, clients: node.Clients{Keys: c.Keys, Role: func(s node.Set) certs.Pair { return s.Manager }}}}
}

// placed splits the id of a process that a swarm has placed into that of its service and the
// slot. Ids of containers have no dot.
func placed(id string) (service string, slot int, ok bool) {
	service, rest, found := strings.Cut(id, ".")
	if !found || len(service) != idLength || strings.Trim(service, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return "", 0, false
	}
	if _, err := fmt.Sscanf(rest, "%d", &slot); err != nil || fmt.Sprint(slot) != rest {
		return "", 0, false
	}
	return service, slot, true
}

// idLength is the length of the ids that a swarm gives.
const idLength = 25

// Observe implements Engine.
func (e *Engine) Observe(ctx context.Context, app string) (engine.Observed, error) {
	type answer struct {
		placed []engine.Instance
		err    error
	}
	asked := make(chan answer, 1)
	c, cancel := engine.Within(ctx, lookLimit)
	defer cancel()
	go func() {
		placed, err := e.observe(c, app)
		asked <- answer{placed, err}
	}()
	o, err := e.Host.Observe(ctx, app)
	if err != nil {
		return o, err
	}
	a := <-asked
	switch {
	case ctx.Err() != nil:
		return engine.Observed{}, fmt.Errorf("cannot look at the processes of the swarm: %w", context.Cause(ctx))
	case errors.Is(a.err, engine.ErrNoCluster): // so there are none
	case a.err != nil:
		o.Unseen = fmt.Errorf("cannot look at the processes of the swarm: %w", a.err)
	}
	o.Instances = merge(o.Instances, a.placed)
	return o, nil
}

// Instance implements Engine.
func (e *Engine) Instance(ctx context.Context, id string) (engine.Instance, error) {
	if _, _, ok := placed(id); !ok {
		return e.Host.Instance(ctx, id)
	}
	m, err := e.member(ctx, id)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("cannot inspect process %s: %w", id, err)
	}
	return m.Instance, nil
}

// Exec implements Prober.
func (e *Engine) Exec(ctx context.Context, id string, argv []string) ([]byte, int, error) {
	host, id, err := e.container(ctx, id)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot run %q: %w", argv, err)
	}
	return host.Exec(ctx, id, argv)
}

// ExecAttached implements Terminal.
func (e *Engine) ExecAttached(ctx context.Context, id string, argv, env []string, s engine.Streams) (int, error) {
	host, id, err := e.container(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("cannot run %q: %w", argv, err)
	}
	return host.ExecAttached(ctx, id, argv, env, s)
}

// Listening implements Prober.
func (e *Engine) Listening(ctx context.Context, id string) (sockets []netip.AddrPort, err error) {
	host, id, err := e.container(ctx, id)
	if err != nil {
		return nil, err
	}
	return host.Listening(ctx, id)
}

// Describe implements Inspector. Of a process on a node whose engine cannot be asked it is the
// swarm's description of its task.
func (e *Engine) Describe(ctx context.Context, id string) ([]byte, error) {
	host, there, err := e.container(ctx, id)
	if err == nil {
		return host.Describe(ctx, there)
	}
	if !errors.Is(err, engine.ErrElsewhere) && !errors.Is(err, engine.ErrNotRunning) {
		return nil, fmt.Errorf("cannot inspect process %s: %w", id, err)
	}
	m, err := e.member(ctx, id)
	if err == nil && m.task.ID == "" {
		err = fmt.Errorf("%w (%s)", engine.ErrNotRunning, id)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot inspect process %s: %w", id, err)
	}
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	_, raw, err := cli.TaskInspectWithRaw(ctx, m.task.ID)
	return raw, e.docker.ExplainSwarm(ctx, err)
}

// Processes implements Inspector.
func (e *Engine) Processes(ctx context.Context, id, args string) ([]string, [][]string, error) {
	host, id, err := e.container(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list the processes: %w", err)
	}
	return host.Processes(ctx, id, args)
}

// Written implements Inspector.
func (e *Engine) Written(ctx context.Context, id string) (int64, error) {
	host, id, err := e.container(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("cannot measure what a process has written: %w", err)
	}
	return host.Written(ctx, id)
}

// container returns the container of a placed process, and the engine of its node. Any other
// id is one of this machine's engine.
func (e *Engine) container(ctx context.Context, id string) (engine.Host, string, error) {
	if _, _, ok := placed(id); !ok {
		return e.Host, id, nil
	}
	m, err := e.member(ctx, id)
	if err != nil {
		return nil, "", err
	}
	status := m.task.Status.ContainerStatus
	switch {
	case m.Status == engine.StatusLost:
		return nil, "", fmt.Errorf("%w: %s.%d of app %s is on %s, which does not answer", engine.ErrElsewhere, m.Type, m.Index, m.App, m.Node)
	case !m.Running() || status == nil:
		return nil, "", fmt.Errorf("%w (%s.%d of app %s)", engine.ErrNotRunning, m.Type, m.Index, m.App)
	}
	_, err = e.Host.Instance(ctx, status.ContainerID)
	if err == nil || !errors.Is(err, engine.ErrNoContainer) {
		return e.Host, status.ContainerID, err
	}
	remote, err := e.remote(ctx, m)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s.%d of app %s is on %s: %w", engine.ErrElsewhere, m.Type, m.Index, m.App, m.Node, err)
	}
	return remote, status.ContainerID, nil
}

// member looks at one placed process; ErrNoContainer if there is none.
func (e *Engine) member(ctx context.Context, id string) (member, error) {
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	group, slot, _ := placed(id)
	g, err := e.group(ctx, group)
	if err != nil {
		return member{}, err
	}
	if slot < 1 || slot > len(g.members) {
		return member{}, fmt.Errorf("%w (%s)", engine.ErrNoContainer, id)
	}
	return g.members[slot-1], nil
}

// group looks at one group.
func (e *Engine) group(ctx context.Context, id string) (group, error) {
	s, err := e.look(ctx, id, "")
	if err != nil && !errors.Is(err, engine.ErrNoCluster) {
		return group{}, err
	}
	if len(s) != 1 {
		return group{}, fmt.Errorf("%w (%s)", engine.ErrNoContainer, id)
	}
	return s[0], nil
}

// Wait implements Prober. A process that was placed anew has ended where it was.
func (e *Engine) Wait(ctx context.Context, id string) (engine.Instance, error) {
	if _, _, ok := placed(id); !ok {
		return e.Host.Wait(ctx, id)
	}
	i, err := e.wait(ctx, id)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("cannot wait for process %s: %w", id, err)
	}
	return i, nil
}

func (e *Engine) wait(ctx context.Context, id string) (engine.Instance, error) {
	var first, last member
	for {
		m, err := e.member(ctx, id)
		switch {
		case errors.Is(err, engine.ErrNoContainer) && first.ID != "":
			last.Status = engine.StatusExited
			return last.Instance, nil
		case err != nil:
			return engine.Instance{}, err
		case first.ID == "":
			first = m
		}
		last = m
		if m.Status == engine.StatusExited || m.Status != engine.StatusLost && m.task.ID != first.task.ID {
			return m.Instance, nil
		}
		if engine.Pause(ctx, waitPause); ctx.Err() != nil {
			return engine.Instance{}, context.Cause(ctx)
		}
	}
}

// patient repeats a call while the swarm has no leader: if one dies, the others choose another.
func patient[T any](ctx context.Context, do func() (T, error)) (T, error) {
	for late := time.Now().Add(electionLimit); ; {
		v, err := do()
		if !errors.Is(err, engine.ErrNoQuorum) || time.Now().After(late) || ctx.Err() != nil {
			return v, err
		}
		engine.Pause(ctx, waitPause)
	}
}

const (
	// electionLimit is how long managers take to choose a leader.
	electionLimit = 20 * time.Second
	// lookLimit bounds a look at the swarm. A manager that is about to lose its quorum
	// answers after 20 s at the soonest.
	lookLimit = 10 * time.Second
	// waitPause is between two looks at processes that somebody waits for.
	waitPause = 250 * time.Millisecond
)
