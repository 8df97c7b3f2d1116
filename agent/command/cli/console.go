package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"dokku/agent/engine"
	"dokku/agent/proc"
)

// Console is the terminal that a person types on and reads from.
type Console interface {
	// Raw makes the terminal pass on each key unchanged, Ctrl-C too, until restore is
	// called.
	Raw() (restore func(), err error)
	// Sizes sends the terminal's size, and each later one until ctx ends.
	Sizes(ctx context.Context) <-chan engine.Size
	// Type is the terminal's type as in TERM; "" if it may not be passed on.
	Type() string
}

// NewConsole returns the terminal of in and out; nil unless both are a terminal.
func NewConsole(in, out *os.File, kind string) Console {
	if !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	return tty{in, out, proc.TerminalType(kind)}
}

type tty struct {
	in, out *os.File
	kind    string
}

func (t tty) Type() string { return t.kind }

func (t tty) Raw() (func(), error) {
	before, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("cannot use the terminal: %w", err)
	}
	return func() { term.Restore(int(t.in.Fd()), before) }, nil
}

func (t tty) Sizes(ctx context.Context) <-chan engine.Size {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	sizes := make(chan engine.Size)
	go func() {
		defer close(sizes)
		defer signal.Stop(changed)
		for {
			if width, height, err := term.GetSize(int(t.out.Fd())); err == nil && width > 0 && height > 0 {
				select {
				case sizes <- engine.Size{Width: width, Height: height}:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return sizes
}
