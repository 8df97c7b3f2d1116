package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"dokku/agent/engine"
)

// RunAttached implements Terminal.
func (m *Engine) RunAttached(ctx context.Context, spec engine.Spec, s engine.Streams) (engine.Instance, error) {
	return call(ctx, m, func() (engine.Instance, error) {
		i, err := m.runAttached(ctx, spec, s)
		if err != nil {
			return i, fmt.Errorf("cannot run %s: %w", spec.Title(), err)
		}
		return i, nil
	}, "RunAttached", spec, s)
}

func (m *Engine) runAttached(ctx context.Context, spec engine.Spec, s engine.Streams) (engine.Instance, error) {
	spec.Attached, spec.Stdin, spec.TTY = true, s.Stdin != nil, s.TTY
	m.mu.Lock()
	if held := m.find(spec.Name); held != nil {
		m.mu.Unlock()
		return engine.Instance{}, fmt.Errorf("%w (%s): remove or rename that container", engine.ErrNameInUse, spec.Name)
	}
	i, err := m.start(spec)
	if err != nil {
		m.mu.Unlock()
		return engine.Instance{}, err
	}
	p := m.find(i.ID)
	talk, lines := m.talker(p), slices.Clone(p.lines)
	m.mu.Unlock()
	if s.Started != nil {
		s.Started(i)
	}
	if talk == nil {
		if err := m.Logs(ctx, i.ID, engine.LogOptions{Follow: true}, s.Stdout); err != nil {
			return i, err
		}
	} else {
		if err := write(s.Stdout, lines, false); err != nil {
			return i, err
		}
		exit, ended := m.converse(ctx, p, p.argv, s, talk)
		if ctx.Err() != nil {
			return i, ctx.Err()
		}
		m.mu.Lock()
		none := !ended && exit < 0
		if none {
			exit = 127
		}
		if !ended && p.Running() {
			m.exit(p, exit, false)
		}
		m.mu.Unlock()
		if none {
			return i, fmt.Errorf("%q (%w)", p.argv[0], engine.ErrNoCommand)
		}
	}
	last, err := m.Wait(ctx, i.ID)
	if err != nil {
		return i, err
	}
	return last, nil
}

// ExecAttached implements Terminal.
func (m *Engine) ExecAttached(ctx context.Context, id string, argv, env []string, s engine.Streams) (int, error) {
	return call(ctx, m, func() (int, error) {
		exit, err := m.execAttached(ctx, id, argv, s)
		if err != nil {
			return 0, fmt.Errorf("cannot run %q in container %s: %w", argv, engine.Short(id), err)
		}
		return exit, nil
	}, "ExecAttached", id, argv, env, s)
}

func (m *Engine) execAttached(ctx context.Context, id string, argv []string, s engine.Streams) (int, error) {
	m.mu.Lock()
	p, err := m.running(id)
	if err != nil {
		m.mu.Unlock()
		return 0, err
	}
	talk, exec := m.talker(p), p.behaviour.Exec
	p.execs = append(p.execs, argv)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		p.execs = slices.DeleteFunc(p.execs, func(e []string) bool { return &e[0] == &argv[0] })
	}()
	if s.Started != nil {
		s.Started(engine.Instance{ID: p.ID})
	}
	switch {
	case talk != nil:
		exit, ended := m.converse(ctx, p, argv, s, talk)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case ended:
			return 137, nil
		case exit < 0:
			return 0, fmt.Errorf("%q (%w)", argv[0], engine.ErrNoCommand)
		}
		return exit, nil
	case exec != nil:
		output, exit := exec(argv)
		_, err := io.WriteString(s.Stdout, output)
		return exit, err
	}
	return 0, fmt.Errorf("%q (%w)", argv[0], engine.ErrNoCommand)
}

// converse runs a command with the streams of its caller until the command, its container
// or ctx ends. It then cuts the streams.
func (m *Engine) converse(ctx context.Context, p *process, argv []string, s engine.Streams, talk func(context.Context, []string, engine.Streams) int) (exit int, ended bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.Stdin != nil {
		read, feed := io.Pipe()
		from := s.Stdin
		s.Stdin = read
		go func() {
			io.Copy(feed, from)
			feed.Close() // an error of the caller's is the end of the input to the command
		}()
		defer func() { read.CloseWithError(cmp.Or(ctx.Err(), io.ErrClosedPipe)) }() // before the caller may end its input
	}
	out := &severed{w: s.Stdout}
	errs := &severed{w: s.Stderr}
	defer out.cut()
	defer errs.cut()
	s.Stdout, s.Stderr = out, errs
	if s.TTY {
		s.Stderr = out
	}
	said := make(chan int, 1)
	go func() { said <- talk(ctx, argv, s) }()
	for {
		m.mu.Lock()
		running, changed := p.Running(), p.changed
		m.mu.Unlock()
		if !running {
			return 0, true
		}
		select {
		case exit := <-said:
			return exit, false
		case <-ctx.Done():
			return 0, false
		case <-changed:
		}
	}
}

// severed is a writer that can be cut.
type severed struct {
	mu   sync.Mutex
	w    io.Writer
	gone bool
}

func (s *severed) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return 0, errors.New("the caller has gone away")
	}
	return s.w.Write(p)
}

func (s *severed) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}
