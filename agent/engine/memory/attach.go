package memory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/engine"
)

// CreateNetwork implements Networks.
func (m *Engine) CreateNetwork(ctx context.Context, name string) (engine.NetworkInfo, error) {
	return call(ctx, m, func() (engine.NetworkInfo, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if slices.ContainsFunc(m.everyNetwork(), func(n engine.NetworkInfo) bool { return n.Name == name }) {
			return engine.NetworkInfo{}, fmt.Errorf("cannot create network %s: %w", name, engine.ErrNetworkExists)
		}
		n := engine.NetworkInfo{ID: m.newID("network"), Name: name, Driver: "bridge", Scope: "local", Managed: true,
			Labels: map[string]string{engine.LabelNetwork: name}, Created: now()}
		n.Bridge = "br-" + n.ID
		m.shared = append(m.shared, n)
		return n, nil
	}, "CreateNetwork", name)
}

// Members implements Networks. The containers have addresses of a kind on joined networks.
func (m *Engine) Members(ctx context.Context) ([]engine.Member, error) {
	return call(ctx, m, func() ([]engine.Member, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		all := slices.Clone(m.strangers)
		for i, p := range m.containers {
			if !p.Running() || p.group != nil {
				continue
			}
			oneOff := p.Kind == engine.KindRun || p.Kind == engine.KindCron
			add := func(network string, at netip.Addr) {
				all = append(all, engine.Member{Network: network, App: p.App, Filtered: p.spec.Filtered, OneOff: oneOff, Addresses: []netip.Addr{at}})
			}
			add(engine.NetworkName(p.App), p.Address)
			for n, name := range p.spec.Joins {
				add(name, netip.AddrFrom4([4]byte{172, 31, byte(n), byte(i + 2)}))
			}
		}
		return all, nil
	}, "Members")
}

// SetDefaultNetwork gives the engine its default network, bridge, with these containers.
func (m *Engine) SetDefaultNetwork(members ...engine.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shared = append(m.shared, engine.NetworkInfo{Name: "bridge", Driver: "bridge", Scope: "local", Bridge: "docker0"})
	m.strangers = members
}

// AllNetworks implements Networks.
func (m *Engine) AllNetworks(ctx context.Context) ([]engine.NetworkInfo, error) {
	return call(ctx, m, func() ([]engine.NetworkInfo, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		all := m.everyNetwork()
		slices.SortFunc(all, func(a, b engine.NetworkInfo) int { return strings.Compare(a.Name, b.Name) })
		return all, nil
	}, "AllNetworks")
}

// everyNetwork lists the networks that containers join and the apps' own.
func (m *Engine) everyNetwork() []engine.NetworkInfo {
	all := slices.Clone(m.shared)
	for _, n := range m.nets {
		driver, scope, bridge := "bridge", "local", "dk-"+n.App
		if n.Overlay {
			driver, scope, bridge = "overlay", "swarm", ""
		}
		all = append(all, engine.NetworkInfo{ID: n.ID, Name: n.Name, Driver: driver, Scope: scope, App: n.App, Bridge: bridge,
			Labels: map[string]string{engine.LabelApp: n.App}})
	}
	return all
}

// Chown implements Storage, as far as the rights of the caller go.
func (m *Engine) Chown(ctx context.Context, dir, name string, uid int) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		to := filepath.Join(dir, name)
		if err = os.Mkdir(to, 0o755); err == nil || errors.Is(err, fs.ErrExist) {
			err = os.Chmod(to, 0o755)
		}
		if err == nil && uid != os.Getuid() {
			err = os.Chown(to, uid, uid)
		}
		if err != nil {
			err = fmt.Errorf("cannot give %s to user %d: %w", to, uid, err)
		}
		return none, err
	}, "Chown", dir, name, uid)
	return err
}

// attach checks the networks and mounts of a container that starts.
func (m *Engine) attach(s engine.Spec) error {
	for _, name := range s.Joins {
		if !slices.ContainsFunc(m.everyNetwork(), func(n engine.NetworkInfo) bool { return n.Name == name }) {
			return engine.NoJoin(name)
		}
	}
	for _, mount := range s.Mounts {
		if mount.Bind() {
			if _, err := os.Stat(mount.Source); err != nil {
				return fmt.Errorf("cannot mount %s: %w", mount.Source, err)
			}
		}
	}
	return nil
}

// use looks at its id, dials, writes and reads as the process's behaviour says, and returns
// the lines that it prints about that.
func (m *Engine) use(p *process) []string {
	var lines []string
	tell := func(ok bool, done, failed, what string) {
		if !ok {
			done = failed
		}
		lines = append(lines, done+" "+what)
	}
	if p.behaviour.PID {
		tell(p.spec.NoInit, "is", "is not", "process 1")
	}
	for _, to := range p.behaviour.Dials {
		tell(m.reaches(p, to), "reached", "cannot reach", to)
	}
	for _, name := range p.behaviour.Writes {
		tell(m.write(p, name), "wrote", "cannot write", name)
	}
	for _, name := range p.behaviour.Reads {
		text, ok := m.read(p, name)
		tell(ok, "read "+text+"from", "cannot read", name)
	}
	return lines
}

// reaches reports whether another container that runs listens under the name, on
// a network that both are in.
func (m *Engine) reaches(p *process, to string) bool {
	host, number, _ := net.SplitHostPort(to)
	port, _ := strconv.Atoi(number)
	return slices.ContainsFunc(m.containers, func(o *process) bool {
		joined := func(name string) bool { return slices.Contains(o.spec.Joins, name) }
		beside := o.App == p.App || slices.Contains(p.spec.Joins, engine.NetworkName(o.App))
		near := beside || slices.ContainsFunc(p.spec.Joins, joined)
		named := o.Name == host || beside && slices.Contains(o.spec.Names, host) || slices.ContainsFunc(p.spec.Joins, joined) && slices.Contains(o.spec.Aliases, host)
		return o.Running() && near && named && slices.Contains(o.behaviour.Ports, port)
	})
}

// place finds where a path of a container is kept: a file of the host, or a key
// of m.volumes.
func place(s engine.Spec, name string) (m engine.Mount, at string, ok bool) {
	for _, c := range s.Mounts {
		if rest, below := strings.CutPrefix(name, c.Target+"/"); below && len(c.Target) > len(m.Target) {
			m, at, ok = c, path.Join(c.Source, rest), true
		}
	}
	return m, at, ok
}

func (m *Engine) write(p *process, name string) bool {
	mount, at, ok := place(p.spec, name)
	_, inMemory := p.spec.Options.Tmpfs[path.Dir(name)]
	switch {
	case !ok && p.spec.Options.ReadOnly && !inMemory:
		return false
	case !ok && inMemory, !ok && path.Dir(name) == "/":
		if p.files == nil {
			p.files = map[string]bool{}
		}
		p.files[name] = true
		return true
	case !ok || mount.ReadOnly:
		return false
	case mount.Bind():
		return os.WriteFile(at, []byte(fileText), 0o644) == nil
	}
	if m.volumes == nil {
		m.volumes = map[string]string{}
	}
	m.volumes[at] = fileText
	return true
}

// fileText is the text that processes write.
const fileText = "written\n"

func (m *Engine) read(p *process, name string) (text string, ok bool) {
	mount, at, ok := place(p.spec, name)
	if p.files[name] {
		return oneLine(fileText), true
	}
	if ok && mount.Bind() {
		data, err := os.ReadFile(at)
		return oneLine(string(data)), err == nil
	}
	text, ok = m.volumes[at]
	return oneLine(text), ok
}

// oneLine ends in a blank, unless the text is empty.
func oneLine(text string) string { return strings.Join(append(strings.Fields(text), ""), " ") }

// JoinOverlay implements Networks.
func (m *Engine) JoinOverlay(ctx context.Context, owner, id string, names []string) (string, error) {
	return call(ctx, m, func() (string, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		name := engine.OverlayName(owner)
		if m.node == nil {
			return name, engine.ErrNoCluster
		}
		m.overlay(owner)
		if id == "" {
			return name, nil
		}
		p := m.find(id)
		if p == nil {
			return name, engine.ErrNoContainer
		}
		if !slices.Contains(p.spec.Joins, name) {
			p.spec.Joins = append(slices.Clone(p.spec.Joins), name)
			p.spec.Aliases = append(slices.Clone(p.spec.Aliases), names...)
		}
		return name, nil
	}, "JoinOverlay", owner, id)
}
