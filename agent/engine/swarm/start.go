package swarm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
)

const (
	// startLimit bounds a start: a node may have to pull the image first.
	startLimit = engine.PruneCall
	// placeGrace is how long no node may take a process: one may be coming.
	placeGrace = 5 * time.Second
	// firstPause is before a second try of what another call may have interfered with.
	firstPause = 25 * time.Millisecond
	// taskPause is between two looks at the tasks of a group that starts or ends. No event of
	// the engine tells about them.
	taskPause = 40 * time.Millisecond
	// lookPause is between two looks at the group as a whole, if its tasks do not change.
	lookPause = 500 * time.Millisecond
)

// Start implements Engine.
func (e *Engine) Start(ctx context.Context, spec engine.Spec) (engine.Instance, error) {
	if spec.Placement == nil {
		return e.Host.Start(ctx, spec)
	}
	i, err := e.start(ctx, spec)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("cannot start %s: %w", spec.Title(), err)
	}
	return i, nil
}

func (e *Engine) start(ctx context.Context, spec engine.Spec) (engine.Instance, error) {
	if err := spec.Check(); err != nil {
		return engine.Instance{}, err
	}
	if err := ctx.Err(); err != nil {
		return engine.Instance{}, err
	}
	if err := e.protect(ctx, spec.Placement); err != nil {
		return engine.Instance{}, err
	}
	ahead, enough := context.WithCancel(ctx)
	defer enough()
	go e.pullAhead(ahead, spec)
	c, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	overlay, err := patient(c, func() (string, error) { return e.docker.Overlay(c, spec.App) })
	if err != nil {
		return engine.Instance{}, err
	}
	wanted, err := service(spec, overlay, e.guard.hides.Load())
	if err != nil {
		return engine.Instance{}, err
	}
	token := rand.Text()
	wanted.Labels[labelMaker] = token
	defer e.rises(wanted.Name)()
	id, err := e.make(c, spec, wanted)
	var i engine.Instance
	if err == nil {
		i, err = e.started(ctx, spec, id)
	}
	if err == nil && i.Secure {
		i, err = e.entered(ctx, wanted.Name, i)
	}
	if err != nil {
		err = fmt.Errorf("%w%s", err, e.discard(ctx, wanted.Name, token, errors.Is(err, engine.ErrPortTaken)))
	}
	return i, err
}

// rising is a group of which members start now: how many, and whether one of these starts, or one
// that they have met, has made the group. So nothing of it serves yet.
type rising struct {
	starts int
	made   bool
}

// rises notes that a member of a group starts, until done is called.
func (e *Engine) rises(name string) (done func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rising[name]
	if r == nil {
		r = &rising{}
		if e.rising == nil {
			e.rising = map[string]*rising{}
		}
		e.rising[name] = r
	}
	r.starts++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if r.starts--; r.starts == 0 {
			delete(e.rising, name)
		}
	}
}

// made notes that a start has made the group.
func (e *Engine) made(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rising[name].made = true
}

// makes reports whether starts that go on have made the group.
func (e *Engine) makes(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rising[name] != nil && e.rising[name].made
}

// pullAhead has the nodes that run the app now pull the image at once: as a rule they will run the
// process too, and Swarm takes a quarter of a second to choose them and to tell them. It finds the
// image there then. What fails here, Swarm tries again, and says why.
func (e *Engine) pullAhead(ctx context.Context, spec engine.Spec) {
	_, _, _ = e.looks.Do("image "+spec.Placement.Image, func() (none any, _ error) {
		groups, err := e.look(ctx, "", spec.App)
		if err != nil || e.guard.config.Keys.Dir == "" {
			return none, nil
		}
		asked := map[netip.Addr]bool{}
		var all sync.WaitGroup
		for _, g := range groups {
			for _, m := range g.members {
				if !m.Running() || !m.Address.IsValid() || asked[m.Address] {
					continue
				}
				asked[m.Address] = true
				all.Go(func() {
					if d, err := e.engineAt(m.Address.String()); err == nil {
						_ = d.Pull(ctx, spec.Placement.Image, spec.Placement.Auth, nil)
					}
				})
			}
		}
		all.Wait()
		return none, nil
	})
}

// make returns the id of the service that the process belongs to, which has a place for it
// then.
func (e *Engine) make(ctx context.Context, spec engine.Spec, wanted swarm.ServiceSpec) (id string, err error) {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return "", err
	}
	login, err := docker.EncodedLogin(spec.Placement.Auth)
	if err != nil {
		return "", err
	}
	for {
		id, err = patient(ctx, func() (string, error) {
			created, err := cli.ServiceCreate(ctx, wanted, swarm.ServiceCreateOptions{EncodedRegistryAuth: login})
			if err == nil {
				e.made(wanted.Name)
			}
			return created.ID, e.explainMake(ctx, spec, err)
		})
		if err == nil || !strings.Contains(err.Error(), "name conflicts with an existing object") {
			return id, err
		}
		id, done, err := e.join(ctx, spec)
		if done || err != nil {
			return id, err
		}
		if engine.Pause(ctx, firstPause); ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
}

// join makes the service that has the group's name large enough for the process. done is
// false if it was changed or removed meanwhile.
func (e *Engine) join(ctx context.Context, spec engine.Spec) (id string, done bool, err error) {
	s, err := patient(ctx, func() (swarm.Service, error) { return e.named(ctx, spec.GroupName()) })
	if err != nil || s.ID == "" {
		return "", false, err
	}
	if !spec.InGroup(s.Spec.Labels) {
		return "", false, fmt.Errorf("%w (%s by a service that is not of this app, release and attempt): remove or rename that service",
			engine.ErrNameInUse, s.Spec.Name)
	}
	size := max(spec.Members(), members(s))
	if replicas(s) >= size {
		return s.ID, true, nil
	}
	done, err = e.resize(ctx, s, size)
	return s.ID, done, err
}

// named finds a service by its name. One that is missing has no id.
func (e *Engine) named(ctx context.Context, name string) (swarm.Service, error) {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return swarm.Service{}, err
	}
	s, _, err := cli.ServiceInspectWithRaw(ctx, name, swarm.ServiceInspectOptions{})
	if errdefs.IsNotFound(err) {
		return swarm.Service{}, nil
	}
	return s, e.docker.ExplainSwarm(ctx, err)
}

// resize has the service run size processes, or none. done is false if somebody else has
// changed or removed it since.
func (e *Engine) resize(ctx context.Context, s swarm.Service, size int) (done bool, err error) {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return false, err
	}
	// Members that end at the same time share s (sharedLook), and the client writes into the Spec, too.
	s.Spec.Labels = maps.Clone(s.Spec.Labels)
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil {
		own := *c
		s.Spec.TaskTemplate.ContainerSpec = &own
	}
	if size == 0 {
		s.Spec.Labels[labelMembers] = strconv.Itoa(members(s))
	} else {
		delete(s.Spec.Labels, labelMembers)
	}
	s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: new(uint64(size))}
	_, err = cli.ServiceUpdate(ctx, s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{})
	if err = e.docker.ExplainSwarm(ctx, err); errors.Is(err, engine.ErrNoQuorum) {
		return false, nil // the next look waits for a leader
	}
	if err != nil && (strings.Contains(err.Error(), "out of sequence") || errors.Is(err, engine.ErrNoNode)) {
		return false, nil
	}
	return err == nil, err
}

// errRemoved ends a start whose group somebody else has removed.
var errRemoved = errors.New("its group was removed meanwhile, since another process of it could not start")

// started waits until the process runs, and somebody says at which port, or until it has run.
func (e *Engine) started(ctx context.Context, spec engine.Spec, id string) (engine.Instance, error) {
	ctx, cancel := engine.Within(ctx, startLimit)
	defer cancel()
	var homeless time.Time // since then no node takes it
	var hidden time.Time   // since then nobody says at which port it runs
	for {
		g, err := patient(ctx, func() (group, error) { return e.sharedLook(ctx, id) })
		switch {
		case ctx.Err() != nil:
			return engine.Instance{}, e.docker.ExplainSwarm(ctx, ctx.Err())
		case errors.Is(err, engine.ErrNoContainer):
			return engine.Instance{}, errRemoved
		case err != nil:
			return engine.Instance{}, err
		}
		if slot := spec.Slot(); slot <= len(g.members) {
			m := g.members[slot-1]
			done, err := e.verdict(ctx, m, spec, e.nodeName(ctx, m))
			switch {
			case err != nil, done && (spec.Port == 0 || m.NodePort != 0 || !m.Running()):
				return m.Instance, err
			case !done:
				hidden = time.Time{}
			case hidden.IsZero():
				hidden = time.Now()
			case time.Since(hidden) > enterLimit:
				return engine.Instance{}, fmt.Errorf("it runs on %s, and nobody says at which port%s", m.Node, e.trouble(ctx, m.task.NodeID))
			}
			if reason := m.task.Status.Err; m.task.NodeID != "" || reason == "" {
				homeless = time.Time{}
			} else if homeless.IsZero() {
				homeless = time.Now()
			} else if time.Since(homeless) > placeGrace {
				return engine.Instance{}, fmt.Errorf("%w: %s", engine.ErrNoPlace, unplaced(reason))
			}
		}
		e.awaitChange(ctx, g)
	}
}

// verdict reports whether a process runs or has run. One that could not run is an error.
func (e *Engine) verdict(ctx context.Context, m member, spec engine.Spec, node string) (done bool, err error) {
	if m.Running() {
		return true, nil
	}
	for _, t := range slices.Backward(m.tasks) {
		text := t.Status.Err
		has := func(part string) bool { return strings.Contains(text, part) }
		switch {
		case t.Status.State == swarm.TaskStateRejected && has(missingImage):
			return false, fmt.Errorf("%w (%s): to see why, run there: docker pull %s", engine.ErrCannotPull, node, spec.Placement.Image)
		case t.Status.State == swarm.TaskStateRejected, t.Status.State == swarm.TaskStateFailed && has("starting container failed"):
			return false, e.refused(ctx, node, text)
		case byItself(t):
			return true, nil
		}
	}
	return false, nil
}

// refused is the error of a container that its node could not start.
func (e *Engine) refused(ctx context.Context, node, text string) error {
	text = e.docker.ExplainSwarm(ctx, errors.New(text)).Error() // the layers of the engine go
	if strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory") || strings.Contains(text, "permission denied") {
		return fmt.Errorf("on %s: %s (%w)", node, text, engine.ErrNoCommand)
	}
	return fmt.Errorf("on %s: %s", node, text)
}

// nodeName is the name of the node that last had the process.
func (e *Engine) nodeName(ctx context.Context, m member) string {
	id := ""
	for _, t := range m.tasks {
		if byItself(t) && t.NodeID != "" {
			id = t.NodeID
		}
	}
	if id == "" {
		return m.Node
	}
	nodes, _ := e.docker.Nodes(ctx)
	for _, n := range nodes {
		if n.ID == id {
			return n.Name
		}
	}
	return id
}

// explainMake names what the swarm refuses of a Spec.
func (e *Engine) explainMake(ctx context.Context, spec engine.Spec, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, name := range spec.Joins {
		const another = "docker network create --driver overlay --attachable NAME"
		switch {
		case strings.Contains(text, "network "+name+" not found"):
			return fmt.Errorf("%w (%s): make it with %s, or leave it with network:set", engine.ErrNoJoin, name, another)
		case strings.Contains(text, "network "+name+" cannot be used with services"):
			return fmt.Errorf("network %s is of this server alone, and processes of a swarm join overlay networks only: leave it with network:set, or make another one with %s",
				name, another)
		}
	}
	return e.docker.ExplainSwarm(ctx, err)
}

// discard removes the service that this call has made, if it has made one, or with beside the
// one that a call beside it has made. It returns a text to add to the error that led here.
func (e *Engine) discard(ctx context.Context, name, token string, beside bool) string {
	ctx, cancel := engine.Within(context.WithoutCancel(ctx), engine.SlowCall)
	defer cancel()
	s, err := patient(ctx, func() (swarm.Service, error) { return e.named(ctx, name) })
	if err == nil && (s.Spec.Labels[labelMaker] == token || beside && e.makes(name)) {
		err = e.remove(ctx, s.ID)
	}
	if err != nil {
		return fmt.Sprintf(" (and service %s may be left behind: %s)", name, err)
	}
	return ""
}
