package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/text"
)

// ErrNoDump says that services of a kind cannot be exported or imported.
//
//lint:ignore ST1005 the text is that of Dokku's plugins
var ErrNoDump = errors.New("Not yet implemented")

// Export writes a dump of all data of a service. It needs no lock. It holds no more than
// the buffers of a copy in memory.
func (m *Manager) Export(ctx context.Context, k Kind, s *Service, w io.Writer) error {
	if !k.Dumps() {
		return ErrNoDump
	}
	i, err := m.Running(ctx, s)
	if err != nil {
		return err
	}
	// After a reboot, a backup that is due meets a server that still starts.
	if err := m.awaitReady(ctx, k, s, i); err != nil {
		return fmt.Errorf("cannot export %s: %w", s.Ref(), err)
	}
	if err := m.stream(ctx, k, s, i.ID, k.Dump, nil, w); err != nil {
		return fmt.Errorf("cannot export %s: %w", s.Ref(), err)
	}
	return nil
}

// stream runs a command of the kind with an input and an output; either may be nil. The
// error has what the command says.
func (m *Manager) stream(ctx context.Context, k Kind, s *Service, id string, e Exec, in io.Reader, out io.Writer) error {
	argv, env, err := m.command(k, s, e)
	if err != nil {
		return err
	}
	said := &tail{}
	if out == nil {
		out = said
	}
	streams := engine.Streams{Stdout: out, Stderr: said}
	if in == nil {
		exit, err := m.Host.ExecAttached(ctx, id, argv, env, streams)
		return outcome(argv[0], exit, err, said)
	}
	return fed(ctx, in, func(ctx context.Context, in io.Reader) error {
		streams.Stdin = in
		exit, err := m.Host.ExecAttached(ctx, id, argv, env, streams)
		return outcome(argv[0], exit, err, said)
	})
}

func outcome(program string, exit int, err error, said *tail) error {
	if err != nil || exit == 0 {
		return err
	}
	return &exitError{program, exit, printable(said.String())}
}

// An exitError is about a command that ended with another exit code than 0.
type exitError struct {
	program string
	code    int
	said    string
}

func (e *exitError) Error() string {
	return fmt.Sprintf("%s ended with exit code %d: %s", e.program, e.code, e.said)
}

// Import reads what Export has written into a service. If the kind's loading is atomic, a
// failure or a kill leaves the data as they were; else a part may have been changed, and
// the record says so until an import has ended well.
func (m *Manager) Import(ctx context.Context, k Kind, name string, dump io.Reader, log event.Log) error {
	if !k.Dumps() {
		return ErrNoDump
	}
	return m.with(ctx, k, name, "import", log, func(s *Service) error { return m.importHeld(ctx, k, s, dump) })
}

// importHeld is Import for a service that the caller holds.
func (m *Manager) importHeld(ctx context.Context, k Kind, s *Service, dump io.Reader) error {
	i, err := m.Running(ctx, s)
	if err != nil {
		return err
	}
	if k.Load.Offline {
		err = m.importOffline(ctx, k, s, dump)
	} else {
		err = m.importInto(ctx, k, s, i.ID, dump)
	}
	if err != nil {
		return fmt.Errorf("cannot import into %s: %w", s.Ref(), err)
	}
	return nil
}

func (m *Manager) importInto(ctx context.Context, k Kind, s *Service, id string, dump io.Reader) error {
	if k.Load.Atomic {
		err := m.stream(ctx, k, s, id, k.Load.Exec, dump, nil)
		var ended *exitError
		if err != nil && ctx.Err() == nil && !errors.As(err, &ended) {
			err = fmt.Errorf("%w\nNobody knows how it ended: the dump may have been loaded", err)
		}
		return err
	}
	begun := *s
	begun.Importing = time.Now().UTC()
	if err := m.save(&begun); err != nil {
		return err
	}
	if err := m.stream(ctx, k, s, id, k.Load.Exec, dump, nil); err != nil {
		return fmt.Errorf("%w\nA part of the dump may have been loaded: import it again, or another one", err)
	}
	begun.Importing = time.Time{}
	return m.save(&begun)
}

// importOffline loads a dump into a new volume, which takes the place of the present one
// once the server has started with it.
func (m *Manager) importOffline(ctx context.Context, k Kind, s *Service, dump io.Reader) error {
	next, former := s.Container, s.Container
	next.Attempt = app.NewAttempt()
	next.Volume = s.Ref().ContainerName() + "." + next.Attempt
	// The record names the new volume first: whoever finds it undoes what a kill leaves.
	begun := *s
	begun.Unneeded = append(begun.Unneeded, next)
	if err := m.save(&begun); err != nil {
		return err
	}
	after := context.WithoutCancel(ctx)
	loading := begun
	loading.Container = next
	if err := m.loadOffline(ctx, k, &loading, dump); err != nil {
		return errors.Join(err, m.dropVolumes(after, k, &begun))
	}
	swapped := begun
	swapped.Unneeded, swapped.Container, swapped.Former = s.Unneeded, next, &former
	if err := m.save(&swapped); err != nil {
		return errors.Join(err, m.dropVolumes(after, k, &begun))
	}
	*s = swapped
	if err := m.run(ctx, k, s); err != nil {
		return errors.Join(err, m.back(after, k, s))
	}
	return m.commit(ctx, k, s, former)
}

// loadOffline runs the kind's command in a container of its own with the volume of s.
func (m *Manager) loadOffline(ctx context.Context, k Kind, s *Service, dump io.Reader) error {
	if err := m.network(ctx, s.Ref()); err != nil {
		return err
	}
	image, err := m.Host.Image(ctx, s.Container.Image)
	if err != nil {
		return err
	}
	argv, env, err := m.command(k, s, k.Load.Exec)
	if err != nil {
		return err
	}
	spec := m.spec(k, s, image.ID)
	spec.Name += ".load"
	spec.Attempt += "-load"
	spec.Entrypoint, spec.Command, spec.Env = argv[:1], argv[1:], env
	spec.RestartPolicy, spec.Publish, spec.Names, spec.Joins = "no", nil, nil, nil
	said := &tail{}
	var i engine.Instance
	err = fed(ctx, dump, func(ctx context.Context, in io.Reader) (err error) {
		i, err = m.Host.RunAttached(ctx, spec, engine.Streams{Stdin: in, Stdout: said, Stderr: said})
		return err
	})
	if i.ID != "" {
		err = errors.Join(err, m.Host.Remove(context.WithoutCancel(ctx), engine.Resource{Kind: engine.Container, ID: i.ID}))
	}
	return outcome(argv[0], i.ExitCode, err, said)
}

// Clone makes a service with the data of another one, which goes on.
func (m *Manager) Clone(ctx context.Context, k Kind, old, name string, o Options, log event.Log) (*Service, error) {
	if !k.Dumps() {
		return nil, ErrNoDump
	}
	from, err := m.Load(k, old)
	if err != nil {
		return nil, err
	}
	if _, err := m.Running(ctx, from); err != nil {
		return nil, err
	}
	image, version := splitImage(from.Container.Image)
	if o.Image == "" {
		o.Image = image + ":" + version
	}
	return m.create(ctx, k, name, o, making{load: func(ctx context.Context, s *Service) error {
		log.Step("Copying data from %s to %s", old, name)
		return pipe(ctx, func(ctx context.Context, w io.Writer) error { return m.Export(ctx, k, from, w) },
			func(ctx context.Context, r io.Reader) error { return m.load(ctx, k, s, r) })
	}}, log)
}

// Restore makes a service with the data of a dump. A failure, or a kill, leaves nothing of it.
func (m *Manager) Restore(ctx context.Context, k Kind, name string, o Options, dump io.Reader, log event.Log) (*Service, error) {
	if !k.Dumps() {
		return nil, ErrNoDump
	}
	return m.create(ctx, k, name, o, making{load: func(ctx context.Context, s *Service) error { return m.load(ctx, k, s, dump) }}, log)
}

// errProven ends the creation of a service that only proves a dump.
var errProven = errors.New("the dump was loaded")

// Prove loads a dump of a service into a throwaway one of the same image, and says what it
// found there: "12 tables". It leaves nothing behind, also if it is killed.
func (m *Manager) Prove(ctx context.Context, k Kind, s *Service, dump io.Reader, log event.Log) (found string, err error) {
	if !k.Dumps() {
		return "", ErrNoDump
	}
	o := Options{Image: s.Container.Image, Config: &s.Container.Options, Memory: s.Container.Memory}
	_, err = m.create(ctx, k, "try-"+secret(8), o, making{
		load: func(ctx context.Context, tried *Service) error { return m.load(ctx, k, tried, dump) },
		last: func(ctx context.Context, tried *Service) error {
			i, err := m.Running(ctx, tried)
			if err == nil {
				found, err = m.count(ctx, k, tried, i.ID)
			}
			if err != nil {
				return err
			}
			return errProven
		},
	}, log)
	if errors.Is(err, errProven) { // the agent removes what is left of the throwaway service
		return found, nil
	}
	return "", fmt.Errorf("cannot load the dump of %s: %w", s.Ref(), err)
}

// count says how much a service has, whose container has the id.
func (m *Manager) count(ctx context.Context, k Kind, s *Service, id string) (string, error) {
	n, err := m.amount(ctx, k, s, id)
	switch {
	case err != nil:
		return "", err
	case n == Unknown:
		return "it can be loaded", nil
	}
	return text.Plural(n, k.Count.Unit), nil
}

// load loads a dump into a service that is being created.
func (m *Manager) load(ctx context.Context, k Kind, s *Service, dump io.Reader) error {
	if k.Load.Offline {
		return m.loadOffline(ctx, k, s, dump)
	}
	i, err := m.Running(ctx, s)
	if err != nil {
		return err
	}
	return m.stream(ctx, k, s, i.ID, k.Load.Exec, dump, nil)
}
