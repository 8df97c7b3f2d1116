package command

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"dokku/agent/engine"
)

// Console is the terminal that a person types on and reads from.
type Console interface {
	// Raw makes the terminal pass each key on as it is, Ctrl-C too, until restore
	// is called.
	Raw() (restore func(), err error)
	// Sizes sends the terminal's size, and each later one until ctx ends.
	Sizes(ctx context.Context) <-chan engine.Size
	// Type is the terminal's type, as TERM names it; "" if that cannot be passed on.
	Type() string
}

// NewConsole returns the terminal that in and out are; nil unless both are one.
func NewConsole(in, out *os.File, kind string) Console {
	if !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	if !terminalType.MatchString(kind) {
		kind = ""
	}
	return tty{in, out, kind}
}

var terminalType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$`)

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

// streams connect a command with the caller. The terminal is raw from the moment
// that the command runs until release is called, or the caller goes away: stopping
// the command may take a while then.
func (c *call) streams(tty bool) (st engine.Streams, release func()) {
	st = engine.Streams{Stdin: c.env.Stdin, Stdout: c.env.Stdout, Stderr: c.env.Stderr, TTY: tty}
	console := c.env.Console
	if !tty || console == nil {
		return st, func() {}
	}
	ctx, stop := context.WithCancel(c.ctx)
	st.Sizes = console.Sizes(ctx)
	var mu sync.Mutex
	restore, released := func() {}, false
	release = func() {
		mu.Lock()
		defer mu.Unlock()
		if !released {
			released = true
			restore()
		}
		stop()
	}
	st.Started = func(engine.Instance) {
		mu.Lock()
		defer mu.Unlock()
		if released {
			return
		}
		if undo, err := console.Raw(); err == nil {
			restore = undo
		}
	}
	context.AfterFunc(ctx, release)
	return st, release
}

// terminalEnv tells a command with a terminal what that is.
func (c *call) terminalEnv(tty bool) []string {
	if tty && c.env.Console != nil && c.env.Console.Type() != "" {
		return []string{"TERM=" + c.env.Console.Type()}
	}
	return nil
}
