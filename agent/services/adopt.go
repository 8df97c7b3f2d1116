package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"dokku/agent/event"
	"dokku/agent/text"
)

// A Source is where the data of a service of another server come from.
type Source interface {
	// Dump writes a dump. Only it knows how many things of the kind's unit there were just
	// before and just after; Unknown stands for what could not be counted.
	Dump(ctx context.Context, w io.Writer) (before, after int, err error)
}

// Unknown is a number of things that could not be counted.
const Unknown = -1

// ErrFilled says that a service has data of its own, which nothing replaced.
var ErrFilled = errors.New("it has data")

// A Moved says how many things of the kind's unit a service has here, and had on the other
// server before and after its dump.
type Moved struct {
	Here, Before, After int
	Unit                string
}

func (m Moved) String() string {
	switch {
	case m.Unit == "" || m.Here == Unknown:
		return "its data were loaded; they cannot be counted"
	case m.Before == Unknown || m.After == Unknown:
		return text.Plural(m.Here, m.Unit) + " here; they could not be counted there"
	case m.Here < min(m.Before, m.After):
		return fmt.Sprintf("%s here, %d there: the others have expired", text.Plural(m.Here, m.Unit), m.Before)
	case m.Here > max(m.Before, m.After):
		return fmt.Sprintf("%s here, %d there: the others were here before", text.Plural(m.Here, m.Unit), m.After)
	case m.Before != m.After:
		return fmt.Sprintf("%s here; there it had %d before the dump and %d after it", text.Plural(m.Here, m.Unit), m.Before, m.After)
	}
	return text.Plural(m.Here, m.Unit) + ", as many as there"
}

// check returns an error unless what is here may be what was there.
func (m Moved) check(k Kind) error {
	there := m.Before != Unknown && m.After != Unknown
	low, high := min(m.Before, m.After), max(m.Before, m.After)
	switch {
	case m.Here == Unknown || !there, m.Here >= low && m.Here <= high:
		return nil
	case k.Count.Expires && m.Here < low && m.Here > 0:
		return nil
	}
	return fmt.Errorf("it has %s here, and %d on the other server", text.Plural(m.Here, m.Unit), m.After)
}

// Adopt makes a service with the options, secrets and data of one of another server. A
// failure, a kill, or another number of things than there leave nothing of it. A kind without
// dumps gets no data.
func (m *Manager) Adopt(ctx context.Context, k Kind, name string, o Options, from Source, log event.Log) (moved Moved, err error) {
	moved = Moved{Here: Unknown, Before: Unknown, After: Unknown, Unit: k.Count.Unit}
	steps := making{}
	if k.Dumps() {
		steps.load = func(ctx context.Context, s *Service) error {
			return pass(ctx, from, &moved, func(ctx context.Context, r io.Reader) error { return m.load(ctx, k, s, r) })
		}
		steps.last = func(ctx context.Context, s *Service) error { return m.recount(ctx, k, s, &moved) }
	}
	_, err = m.create(ctx, k, name, o, steps, log)
	return moved, err
}

// Refill loads the data of a service of another server into one that is here, as Import does.
// Unless over is set, one that has data stays as it is: ErrFilled.
func (m *Manager) Refill(ctx context.Context, k Kind, name string, over bool, from Source, log event.Log) (moved Moved, err error) {
	if !k.Dumps() {
		return moved, ErrNoDump
	}
	moved = Moved{Here: Unknown, Before: Unknown, After: Unknown, Unit: k.Count.Unit}
	err = m.with(ctx, k, name, "import", log, func(s *Service) error {
		if !over {
			n, err := m.has(ctx, k, s)
			switch {
			case err != nil:
				return err
			case n != 0:
				moved.Here = n
				return ErrFilled
			}
		}
		err := pass(ctx, from, &moved, func(ctx context.Context, r io.Reader) error { return m.importHeld(ctx, k, s, r) })
		if err != nil {
			return err
		}
		err = m.recount(ctx, k, s, &moved)
		if over && moved.Here > max(moved.Before, moved.After) {
			return nil // a dump replaces what it has, and leaves the rest
		}
		return err
	})
	return moved, err
}

// recount counts what a service has and compares it with what was there.
func (m *Manager) recount(ctx context.Context, k Kind, s *Service, moved *Moved) (err error) {
	if moved.Here, err = m.has(ctx, k, s); err != nil {
		return err
	}
	return moved.check(k)
}

// has counts the things of a service that runs; Unknown: its kind has no count.
func (m *Manager) has(ctx context.Context, k Kind, s *Service) (int, error) {
	if len(k.Count.Command) == 0 {
		return Unknown, nil
	}
	i, err := m.Running(ctx, s)
	if err != nil {
		return 0, err
	}
	return m.amount(ctx, k, s, i.ID)
}

// amount is has for a service whose container has the id.
func (m *Manager) amount(ctx context.Context, k Kind, s *Service, id string) (int, error) {
	if len(k.Count.Command) == 0 {
		return Unknown, nil
	}
	out, exit, err := m.exec(ctx, k, s, id, k.Count.Exec)
	if err != nil {
		return 0, err
	}
	n, bad := strconv.Atoi(strings.TrimSpace(out))
	if exit != 0 || bad != nil {
		return 0, fmt.Errorf("cannot count the %ss: %s", k.Count.Unit, printable(out))
	}
	return n, nil
}

// Counting returns the command of the kind that counts the things of a service, and its
// variables; nil if it has none.
func (k Kind) Counting(s *Service) (argv, env []string) {
	if len(k.Count.Command) == 0 {
		return nil, nil
	}
	argv, env, _ = (&Manager{}).command(k, s, k.Count.Exec)
	return argv, env
}

// pass passes a dump on to what loads it, without keeping it.
func pass(ctx context.Context, from Source, moved *Moved, load func(context.Context, io.Reader) error) error {
	return pipe(ctx, func(ctx context.Context, w io.Writer) (err error) {
		moved.Before, moved.After, err = from.Dump(ctx, w)
		return err
	}, load)
}

// fed runs a command that reads a dump. A dump that cannot be read to its end is never taken
// for a whole one: the command is cut off, and whatever it says, that is the error.
func fed(ctx context.Context, dump io.Reader, run func(context.Context, io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	in := &input{Reader: dump, cut: cancel, over: over}
	err := run(ctx, in)
	close(over)
	if in.failed() {
		err = context.Cause(ctx)
	}
	cancel(nil)
	return err
}

// An input is a dump that does not end before its end.
type input struct {
	io.Reader
	cut  context.CancelCauseFunc
	over <-chan struct{} // closed once the reader has ended
	bad  atomic.Bool
}

func (i *input) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	i.bad.Store(true)
	i.cut(fmt.Errorf("cannot read the dump to its end: %w", err))
	<-i.over
	return n, err
}

// failed reports whether the dump could not be read to its end.
func (i *input) failed() bool { return i.bad.Load() }
