package memory

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/agent/engine"
)

// Logs implements Prober.
func (m *Engine) Logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		if err := m.logs(ctx, id, o, w); err != nil {
			return none, fmt.Errorf("cannot read the log of container %s: %w", engine.Short(id), err)
		}
		return none, nil
	}, "Logs", id, o)
	return err
}

func (m *Engine) logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.find(id)
	if p == nil {
		return fmt.Errorf("%w (%s)", engine.ErrNoContainer, engine.Short(id))
	}
	next, restarts := 0, p.policyRuns
	if o.Tail > 0 {
		next = max(0, len(p.lines)-o.Tail)
	}
	for {
		fresh := p.lines[next:]
		next += len(fresh)
		over := !o.Follow || !p.Running() || p.policyRuns != restarts
		changed := p.changed
		m.mu.Unlock()
		err := write(w, fresh, o.Timestamps)
		if err == nil && !over {
			select {
			case <-changed:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		m.mu.Lock()
		if err != nil || over {
			return err
		}
	}
}

func write(w io.Writer, lines []line, timestamps bool) error {
	for _, l := range lines {
		text := l.text + "\n"
		if timestamps {
			text = l.at.Format(time.RFC3339Nano) + " " + text
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// Wait implements Prober.
func (m *Engine) Wait(ctx context.Context, id string) (engine.Instance, error) {
	return call(ctx, m, func() (engine.Instance, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return engine.Instance{}, fmt.Errorf("cannot wait for container %s: %w (%s)", engine.Short(id), engine.ErrNoContainer, engine.Short(id))
		}
		for p.Running() || p.Status == engine.StatusRestarting {
			changed := p.changed
			m.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
			}
			m.mu.Lock()
			if err := ctx.Err(); err != nil {
				return engine.Instance{}, fmt.Errorf("cannot wait for container %s: %w", engine.Short(id), err)
			}
		}
		if p.Status == engine.StatusRemoving {
			return engine.Instance{ID: p.ID, Status: engine.StatusExited, ExitCode: p.ExitCode}, nil
		}
		return p.Instance, nil
	}, "Wait", id)
}

// Processes implements Inspector: all processes, for any args.
func (m *Engine) Processes(ctx context.Context, id, args string) ([]string, [][]string, error) {
	rows, err := call(ctx, m, func() ([][]string, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p, err := m.running(id)
		if err != nil {
			return nil, fmt.Errorf("cannot list the processes of container %s: %w", engine.Short(id), err)
		}
		rows := [][]string{{"root", "1", strings.Join(p.argv, " ")}}
		for n, argv := range p.execs {
			rows = append(rows, []string{"root", strconv.Itoa(n + 2), strings.Join(argv, " ")})
		}
		return rows, nil
	}, "Processes", id, args)
	if err != nil {
		return nil, nil, err
	}
	return []string{"USER", "PID", "COMMAND"}, rows, nil
}

// Exec implements Prober.
func (m *Engine) Exec(ctx context.Context, id string, argv []string) ([]byte, int, error) {
	type answer struct {
		output string
		exit   int
	}
	a, err := call(ctx, m, func() (answer, error) {
		m.mu.Lock()
		p, err := m.running(id)
		var exec func([]string) (string, int)
		if err == nil {
			exec = p.behaviour.Exec
		}
		m.mu.Unlock()
		switch {
		case err != nil:
			return answer{}, fmt.Errorf("cannot run %q in container %s: %w", argv, engine.Short(id), err)
		case exec == nil:
			return answer{exit: 127}, nil
		}
		output, exit := exec(argv)
		return answer{output, exit}, nil
	}, "Exec", id, argv)
	return []byte(a.output[:min(len(a.output), engine.MaxExecOutput)]), a.exit, err
}

// Listening implements Prober.
func (m *Engine) Listening(ctx context.Context, id string) ([]netip.AddrPort, error) {
	return call(ctx, m, func() ([]netip.AddrPort, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p, err := m.running(id)
		if err != nil {
			return nil, fmt.Errorf("cannot tell on which ports container %s listens: %w", engine.Short(id), err)
		}
		var sockets []netip.AddrPort
		for _, port := range p.behaviour.Ports {
			sockets = append(sockets, netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port)))
		}
		for _, port := range p.behaviour.Loopback {
			sockets = append(sockets, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)))
		}
		slices.SortFunc(sockets, engine.ByPort)
		return sockets, nil
	}, "Listening", id)
}

func (m *Engine) running(id string) (*process, error) {
	p := m.find(id)
	if p == nil {
		return nil, fmt.Errorf("%w (%s)", engine.ErrNoContainer, engine.Short(id))
	}
	if p.Status == engine.StatusLost {
		return nil, fmt.Errorf("%w (%s.%d, %s)", engine.ErrElsewhere, p.Type, p.Index, p.Node)
	}
	if !p.Running() {
		return nil, fmt.Errorf("%w (%s)", engine.ErrNotRunning, engine.Short(id))
	}
	return p, nil
}

// localImage is an image of Engine.
type localImage struct {
	engine.ImageInfo
	app   string
	tags  []string
	files map[string]bool // paths of files that Commit added
}

// image returns an image by id or tag.
func (m *Engine) image(ref string) *localImage {
	if ref != "" && !strings.Contains(ref[strings.LastIndex(ref, "/")+1:], ":") {
		ref += ":latest"
	}
	if id, ok := m.pushed[ref]; ok {
		ref = id
	}
	n := slices.IndexFunc(m.images, func(i *localImage) bool {
		return i.ID == ref || slices.Contains(i.tags, ref)
	})
	if n < 0 {
		return nil
	}
	return m.images[n]
}

func (m *Engine) moveTag(to *localImage, tag string) {
	if !strings.Contains(tag[strings.LastIndex(tag, "/")+1:], ":") {
		tag += ":latest"
	}
	for _, i := range m.images {
		i.tags = slices.DeleteFunc(i.tags, func(t string) bool { return t == tag })
	}
	to.tags = append(to.tags, tag)
	slices.Sort(to.tags)
}

// Image implements Images.
func (m *Engine) Image(ctx context.Context, ref string) (engine.ImageInfo, error) {
	return call(ctx, m, func() (engine.ImageInfo, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		i := m.image(ref)
		if i == nil {
			return engine.ImageInfo{}, fmt.Errorf("cannot inspect image %s: %w (%s)", engine.Short(ref), engine.ErrNoImage, engine.Short(ref))
		}
		return i.ImageInfo, nil
	}, "Image", ref)
}

// Tag implements Images.
func (m *Engine) Tag(ctx context.Context, id, tag string) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		i := m.image(id)
		if i == nil {
			return none, fmt.Errorf("cannot tag image %s as %s: %w (%s)", engine.Short(id), tag, engine.ErrNoImage, engine.Short(id))
		}
		m.moveTag(i, tag)
		return none, nil
	}, "Tag", id, tag)
	return err
}

// Commit implements Images.
func (m *Engine) Commit(ctx context.Context, container, image string) (string, error) {
	return call(ctx, m, func() (string, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p, from := m.find(container), m.image(image)
		err := engine.ErrNoContainer
		if from == nil {
			err = engine.ErrNoImage
		}
		if p == nil || from == nil {
			return "", fmt.Errorf("cannot make an image of container %s: %w", engine.Short(container), err)
		}
		made := &localImage{ImageInfo: from.ImageInfo, app: from.app, files: maps.Clone(p.files)}
		made.ID = "sha256:" + m.newID("image")
		m.images = append(m.images, made)
		return made.ID, nil
	}, "Commit", container, image)
}
