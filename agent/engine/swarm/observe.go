package swarm

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"golang.org/x/sync/errgroup"

	"dokku/agent/engine"
	"dokku/agent/engine/node"
)

// Labels of services beside those of their processes.
const (
	labelImage = "com.dokku.image" // id of the image on the engine that pushed it
	labelFirst = "com.dokku.first" // index of the first member
	labelMaker = "com.dokku.maker" // the call that made the service
	// labelMembers is how many members a group has that is stopped: its service has none.
	labelMembers = "com.dokku.members"
)

// group is a service, and what is known of its processes.
type group struct {
	swarm.Service
	members []member // by their slots
	lives   bool     // a process of it has yet to end, or to begin, on a node that answers
	print   string   // fingerprint of its tasks
}

// member is a slot of a service.
type member struct {
	engine.Instance
	task  swarm.Task   // the newest one
	tasks []swarm.Task // all that the swarm remembers, the oldest first
}

// observe lists the placed processes of app, or of all apps.
func (e *Engine) observe(ctx context.Context, app string) ([]engine.Instance, error) {
	groups, err := e.look(ctx, "", app)
	if err != nil {
		return nil, err
	}
	var all []engine.Instance
	for _, g := range groups {
		for _, m := range g.members {
			all = append(all, m.Instance)
		}
	}
	return all, nil
}

// state is what a swarm says of groups.
type state struct {
	services []swarm.Service
	tasks    []swarm.Task
	nodes    []engine.Node
	guarded  bool // the nodes serve the processes, see guard
}

// look returns the groups of an app ("": of all apps), or one by the id of its service.
func (e *Engine) look(ctx context.Context, id, app string) ([]group, error) {
	s, err := e.read(ctx, id, app)
	return e.groups(s), err
}

// read asks for what look needs. Of one group all is asked at once: somebody waits for it.
func (e *Engine) read(ctx context.Context, id, app string) (s state, err error) {
	if id == "" && e.alone() {
		return s, engine.ErrNoCluster
	}
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return s, err
	}
	wanted := filters.NewArgs(filters.Arg("label", engine.LabelAttempt), filters.Arg("label", labelFirst))
	if app != "" {
		wanted.Add("label", engine.LabelApp+"="+app)
	}
	var all errgroup.Group
	others := func() {
		all.Go(func() (err error) {
			s.nodes, err = e.docker.Nodes(ctx)
			return err
		})
		all.Go(func() (err error) {
			s.guarded, err = e.guarded(ctx)
			return err
		})
	}
	if id != "" {
		wanted.Add("id", id)
		others()
		all.Go(func() (err error) {
			s.tasks, err = e.tasks(ctx, []string{id})
			return err
		})
	}
	s.services, err = cli.ServiceList(ctx, swarm.ServiceListOptions{Filters: wanted})
	if id == "" && err == nil && len(s.services) > 0 {
		others()
		all.Go(func() (err error) {
			var ids []string
			for _, service := range s.services {
				ids = append(ids, service.ID)
			}
			s.tasks, err = e.tasks(ctx, ids)
			return err
		})
	}
	if err = cmp.Or(err, all.Wait()); err != nil {
		err = e.docker.ExplainSwarm(ctx, err)
		e.heard(err)
		return s, err
	}
	e.heard(nil)
	if id == "" && app == "" {
		e.forgetPorts(s.tasks)
	}
	e.fillPorts(ctx, &s)
	return s, nil
}

// groups describes what the swarm says, and whether nodes answer.
func (e *Engine) groups(s state) []group {
	byService := map[string][]swarm.Task{}
	for _, t := range s.tasks {
		byService[t.ServiceID] = append(byService[t.ServiceID], t)
	}
	v := e.view(s)
	groups := make([]group, len(s.services))
	for n, service := range s.services {
		groups[n] = v.group(service, byService[service.ID])
		groups[n].print = fingerprint(byService[service.ID], service.ID)
	}
	return groups
}

// namedServices is how many services are named when their tasks are asked for. The engine looks up
// each of them.
const namedServices = 8

// tasks lists the tasks of services, and perhaps others.
func (e *Engine) tasks(ctx context.Context, services []string) ([]swarm.Task, error) {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return nil, err
	}
	wanted := filters.NewArgs()
	if len(services) <= namedServices {
		for _, id := range services {
			wanted.Add("service", id)
		}
	}
	tasks, err := cli.TaskList(ctx, swarm.TaskListOptions{Filters: wanted})
	if errdefs.IsNotFound(err) { // one of them has gone since
		return cli.TaskList(ctx, swarm.TaskListOptions{})
	}
	return tasks, err
}

// view is what is needed to tell the state of a process.
type view struct {
	nodes   map[string]engine.Node // by id
	silent  map[string]bool
	guarded bool
}

func (e *Engine) view(s state) view {
	v := view{nodes: map[string]engine.Node{}, silent: map[string]bool{}, guarded: s.guarded}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range s.nodes {
		v.nodes[n.ID] = n
		v.silent[n.ID] = e.silent[n.ID]
	}
	return v
}

// lost reports whether nobody can tell what a node does. One whose state is unknown has yet
// to greet a new leader.
func (v view) lost(id string) bool {
	n, known := v.nodes[id]
	return id != "" && (!known || v.silent[id] || n.State == "down" || n.State == "disconnected")
}

// group describes the processes of a service.
func (v view) group(s swarm.Service, tasks []swarm.Task) group {
	g := group{Service: s}
	g.members = make([]member, members(s))
	slices.SortStableFunc(tasks, func(a, b swarm.Task) int {
		return cmp.Or(cmp.Compare(wanted(a), wanted(b)), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Version.Index, b.Version.Index))
	})
	for _, t := range tasks {
		g.lives = g.lives || !ended(t) && !v.lost(t.NodeID)
		if t.Slot >= 1 && t.Slot <= len(g.members) {
			m := &g.members[t.Slot-1]
			m.task, m.tasks = t, append(m.tasks, t)
		}
	}
	for n := range g.members {
		v.describe(&g.members[n], s, n+1)
	}
	return g
}

// replicas is how many processes the service is to have now.
func replicas(s swarm.Service) int {
	if s.Spec.Mode.Replicated == nil || s.Spec.Mode.Replicated.Replicas == nil {
		return 0
	}
	return int(min(*s.Spec.Mode.Replicated.Replicas, maxMembers))
}

// members is how many processes the group has, running or stopped.
func members(s swarm.Service) int {
	n := replicas(s)
	if n == 0 {
		n, _ = strconv.Atoi(s.Spec.Labels[labelMembers])
	}
	return min(max(n, 0), maxMembers)
}

// maxMembers is more than one group ever has: somebody who changes a service by hand must not have a
// server look at millions of processes.
const maxMembers = 10_000

// describe fills in the Instance of a slot.
func (v view) describe(m *member, s swarm.Service, slot int) {
	i := &m.Instance
	i.Describe(s.Spec.Labels)
	first, _ := strconv.Atoi(s.Spec.Labels[labelFirst])
	i.Index = min(max(first, 1), maxMembers) + slot - 1
	i.ID, i.Group, i.Image = fmt.Sprintf("%s.%d", s.ID, slot), s.ID, s.Spec.Labels[labelImage]
	i.Name = fmt.Sprintf("%s.%s.%d", i.App, i.Type, i.Index)
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil {
		i.Command = engine.CommandLine(slices.Concat(c.Command, c.Args))
	}
	i.Limits = limits(s.Spec.TaskTemplate.Resources)
	i.Created = s.CreatedAt
	if m.task.ID == "" {
		i.Status = engine.StatusCreated
		if replicas(s) == 0 {
			i.Status, i.Finished = engine.StatusExited, s.UpdatedAt
		}
		return
	}
	i.Created = m.task.CreatedAt
	i.Status = v.status(m, replicas(s) == 0)
	n := v.nodes[m.task.NodeID]
	i.Node = n.Name
	if i.Status == engine.StatusRunning || i.Status == engine.StatusLost {
		i.Address, _ = netip.ParseAddr(n.Address)
		i.NodePort = v.nodePort(m.task)
		i.Secure = v.guarded && i.NodePort != 0
		i.Started = moment(m.task)
	}
	for _, t := range m.tasks[:len(m.tasks)-1] {
		if byItself(t) && t.Status.State != swarm.TaskStateRejected { // that one has never run
			i.Restarts++
		}
	}
	if i.Status == engine.StatusCreated || i.Status == engine.StatusRestarting {
		i.Trouble = v.trouble(m.tasks)
	}
	for _, t := range m.tasks { // the last end counts
		if ended(t) && t.Status.ContainerStatus != nil {
			i.ExitCode, i.Finished = t.Status.ContainerStatus.ExitCode, moment(t)
		}
	}
	if i.Status == engine.StatusExited {
		i.Started, i.Finished = m.task.CreatedAt, moment(m.task)
	}
}

// trouble is what the swarm says about the newest of the tasks that it could not run.
func (v view) trouble(tasks []swarm.Task) string {
	for n, t := range slices.Backward(tasks) {
		text := t.Status.Err
		switch {
		case t.Status.State == swarm.TaskStateRejected && strings.Contains(text, missingImage):
			return fmt.Sprintf("%s (%s)", engine.ErrCannotPull, v.nodes[t.NodeID].Name)
		case t.Status.State == swarm.TaskStateRejected:
			return fmt.Sprintf("%s: %s", v.nodes[t.NodeID].Name, text)
		case n == len(tasks)-1 && t.NodeID == "" && text != "":
			return unplaced(text)
		case ended(t):
			return ""
		}
	}
	return ""
}

// unplaced is why no node takes a process, without the words that say so.
func unplaced(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(text, "no suitable node ("), ")")
}

// missingImage is in the text of a node that could not pull an image. It does not say why.
const missingImage = "No such image"

// status translates the state of a slot's newest task. Of a group that is being stopped, what
// cannot be stopped counts as stopped.
func (v view) status(m *member, stopping bool) engine.Status {
	switch t := m.task; {
	case ended(t):
		return engine.StatusExited
	case v.lost(t.NodeID) && stopping:
		return engine.StatusExited
	case v.lost(t.NodeID):
		return engine.StatusLost
	case t.Status.State == swarm.TaskStateRunning:
		return engine.StatusRunning
	case len(m.tasks) > 1:
		return engine.StatusRestarting
	}
	return engine.StatusCreated
}

// ended reports whether the task has no process any more, and never will.
func ended(t swarm.Task) bool {
	switch t.Status.State {
	case swarm.TaskStateComplete, swarm.TaskStateShutdown, swarm.TaskStateFailed, swarm.TaskStateRejected,
		swarm.TaskStateRemove, swarm.TaskStateOrphaned:
		return true
	}
	return false
}

// wanted is 1 for a task that is to run, and 0 for one that another one has followed: a slot has
// one of the first kind at most. When a task was made is written by the manager that led then, and
// the clock of the next one may be behind.
func wanted(t swarm.Task) int {
	switch t.DesiredState {
	case swarm.TaskStateReady, swarm.TaskStateRunning:
		return 1
	}
	return 0
}

// byItself reports whether the task's process has ended without being stopped.
func byItself(t swarm.Task) bool {
	switch t.Status.State {
	case swarm.TaskStateComplete, swarm.TaskStateFailed, swarm.TaskStateRejected:
		return true
	}
	return false
}

// moment is when the task got into its state. Nodes write that by their own clocks, which may
// be off; the managers write when the task was made and when it was changed last.
func moment(t swarm.Task) time.Time {
	at := t.Status.Timestamp
	if at.Before(t.CreatedAt) {
		return t.CreatedAt
	}
	if at.After(t.UpdatedAt) {
		return t.UpdatedAt
	}
	return at
}

// nodePort is the port of the node at which the task's process is reached. An old engine names
// the published one for IPv4 and then for IPv6.
func (v view) nodePort(t swarm.Task) int {
	for _, p := range t.Status.PortStatus.Ports {
		if p.PublishMode == swarm.PortConfigPublishModeHost && p.PublishedPort != 0 {
			if v.guarded {
				return node.Port(int(p.PublishedPort))
			}
			return int(p.PublishedPort)
		}
	}
	return 0
}

func limits(r *swarm.ResourceRequirements) (l engine.Limits) {
	if r != nil && r.Limits != nil {
		l.Memory, l.NanoCPUs = r.Limits.MemoryBytes, r.Limits.NanoCPUs
	}
	if r != nil && r.Reservations != nil {
		l.MemoryReservation = r.Reservations.MemoryBytes
	}
	return l
}

// merge joins two lists, sorted by name.
func merge(a, b []engine.Instance) []engine.Instance {
	all := append(a, b...)
	slices.SortStableFunc(all, func(a, b engine.Instance) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
