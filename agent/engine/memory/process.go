package memory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"dokku/agent/engine"
)

// process is a container of Engine. Its fields belong to Engine.mu.
type process struct {
	engine.Instance
	spec      engine.Spec
	argv      []string   // of its process
	execs     [][]string // commands that run in it
	policy    engine.RestartPolicy
	behaviour Behaviour
	files     map[string]bool // paths of files in its root folder, beside the image's own
	written   int64           // bytes beside those files, see SetWritten
	// fixed: the Spec has the Address.
	fixed bool
	// group is that of a process that a swarm has placed, and home its node; nil: none.
	group *group
	home  *node
	lines []line
	// policyRuns counts all restarts by the policy, the forgotten ones too.
	policyRuns int
	// changed is closed and replaced at every change of status or lines.
	changed chan struct{}
}

type line struct {
	at   time.Time
	text string
}

// find returns a container by id or name.
func (m *Engine) find(id string) *process {
	n := slices.IndexFunc(m.containers, func(p *process) bool { return p.ID == id || p.group == nil && p.Name == id })
	if n < 0 {
		return nil
	}
	return m.containers[n]
}

func (p *process) print(text string) {
	p.lines = append(p.lines, line{now(), text})
	p.notify()
}

func (p *process) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// create adds a container without starting it.
func (m *Engine) create(spec engine.Spec, image *localImage) *process {
	p := &process{spec: spec, fixed: spec.Address.IsValid(), changed: make(chan struct{}), files: maps.Clone(image.files)}
	p.policy, _ = engine.ParseRestartPolicy(spec.RestartPolicy)
	p.argv = argv(spec, image)
	p.Instance = engine.Instance{
		ID: m.newID("container"), Name: spec.Name, Image: image.ID, Command: engine.CommandLine(p.argv), Created: now(),
		Address: spec.Address, HostPort: spec.HostPort, Status: engine.StatusCreated,
		Limits: spec.Limits,
	}
	p.Describe(spec.Labels())
	m.containers = append(m.containers, p)
	for _, mount := range spec.Mounts {
		if !mount.Bind() {
			if m.named == nil {
				m.named = map[string]bool{}
			}
			m.named[mount.Source] = true
		}
	}
	m.tell(p, engine.ActionCreate)
	return p
}

// argv returns the command of a container's process.
func argv(spec engine.Spec, image *localImage) []string {
	entrypoint, command := spec.Entrypoint, spec.Command
	if entrypoint == nil {
		entrypoint = image.Entrypoint
		if command == nil {
			command = image.Command
		}
	}
	return slices.Concat(entrypoint, command)
}

// connect gives a container that starts its address and host port.
func (m *Engine) connect(p *process) error {
	n, ok := m.network(p.App)
	if !ok {
		return fmt.Errorf("%w (%s)", engine.ErrNoNetwork, engine.NetworkName(p.App))
	}
	held := map[netip.Addr]bool{n.Gateway: true}
	for _, other := range m.containers {
		if !other.Running() {
			continue
		}
		if p.HostPort != 0 && other.HostPort == p.HostPort {
			return fmt.Errorf("%w (%d): stop what listens on it, or choose another one", engine.ErrPortInUse, p.HostPort)
		}
		for _, port := range p.spec.Publish {
			if port.HostPort != 0 && publishes(other, port.HostPort) {
				return fmt.Errorf("%w, or its address is not this host's: choose another one (%d)", engine.ErrPortInUse, port.HostPort)
			}
		}
		if other.App == p.App {
			held[other.Address] = true
		}
	}
	if !p.fixed {
		for p.Address = n.Automatic.Addr(); held[p.Address]; p.Address = p.Address.Next() {
		}
		return nil
	}
	if !n.Subnet.Contains(p.Address) {
		return fmt.Errorf("address %s does not belong to subnet %s of network %s", p.Address, n.Subnet, n.Name)
	}
	if held[p.Address] {
		return fmt.Errorf("%w (%s)", engine.ErrAddressInUse, p.Address)
	}
	return nil
}

// publishes reports whether a container has the host's port.
func publishes(p *process, port int) bool {
	return p.HostPort == port || slices.ContainsFunc(p.spec.Publish, func(o engine.Published) bool { return o.HostPort == port })
}

// run starts a container's process.
func (m *Engine) run(p *process) {
	p.behaviour = Behaviour{}
	if m.script != nil {
		p.behaviour = m.script(p.spec)
	}
	if refuses := p.behaviour.Refuses; refuses != nil && refuses(m.volumes[m.volume(p).key()]) {
		p.behaviour.Exits, p.behaviour.Code = true, 1
	}
	if p.behaviour.Keep != nil && m.served(p) {
		p.behaviour.Exits, p.behaviour.Code = true, 1
	}
	p.Status, p.ExitCode, p.OOMKilled = engine.StatusRunning, 0, false
	p.Started, p.Finished = now(), time.Time{}
	m.countTogether(p)
	m.tell(p, engine.ActionStart)
	for _, text := range append(m.use(p), p.behaviour.Output...) {
		p.print(text)
	}
	p.notify()
	if limit := p.Limits.Memory; limit != 0 && p.behaviour.Allocates > limit {
		m.exit(p, 137, true)
		return
	}
	if p.behaviour.Exits {
		m.exit(p, p.behaviour.Code, p.behaviour.OOMKilled)
	}
}

// served reports whether another process that runs keeps data in the volume of p.
func (m *Engine) served(p *process) bool {
	return slices.ContainsFunc(m.containers, func(o *process) bool {
		return o != p && o.Running() && o.behaviour.Keep != nil && m.volume(o) == m.volume(p)
	})
}

// kindOf is a process type of an app.
type kindOf struct{ app, typ string }

// countTogether counts a process that begins to run.
func (m *Engine) countTogether(p *process) {
	k, n := kindOf{p.App, p.Type}, 0
	for _, other := range m.containers {
		if other.Kind == engine.KindDeploy && other.Running() && (kindOf{other.App, other.Type}) == k {
			n++
		}
	}
	if m.together == nil {
		m.together = map[kindOf]int{}
	}
	m.together[k] = max(m.together[k], n)
}

// Together returns how many processes of a type of an app have run at the same time, at
// most.
func (m *Engine) Together(app, typ string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.together[kindOf{app, typ}]
}

// exit ends a process by itself and applies its policy.
func (m *Engine) exit(p *process, code int, oom bool) {
	if oom {
		m.tell(p, engine.ActionOOM)
	}
	m.end(p, code, oom)
	// A policy without limit would loop for ever with a process that always
	// exits at once; the engine's back-off keeps such a one in "restarting".
	if !p.policy.Restarts(code, p.Restarts) {
		return
	}
	if p.behaviour.Exits && p.policy.Max == 0 {
		p.Status = engine.StatusRestarting
		return
	}
	p.Restarts++
	p.policyRuns++
	if p.group != nil { // another task, with another port
		unlock := m.lockNodes()
		err := m.assign(p)
		unlock()
		if err != nil {
			p.home, p.Status = nil, engine.StatusCreated
			return
		}
	}
	m.run(p)
}

// end stops a process for good.
func (m *Engine) end(p *process, code int, oom bool) {
	p.Status, p.ExitCode, p.OOMKilled, p.Finished = engine.StatusExited, code, oom, now()
	if !p.fixed {
		p.Address = netip.Addr{}
	}
	m.tell(p, engine.ActionDie)
	p.notify()
}
