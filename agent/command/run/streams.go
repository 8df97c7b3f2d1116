package run

import (
	"context"
	"slices"
	"sync"

	"dokku/agent/command/cli"
	"dokku/agent/engine"
)

// streams connects a command with the caller. The terminal is raw from the start of the
// command until release is called or the caller goes away, since stopping the command may
// then take a while.
func streams(c *cli.Call, tty bool) (st engine.Streams, release func()) {
	st = engine.Streams{Stdin: c.Env.Stdin, Stdout: c.Env.Stdout, Stderr: c.Env.Stderr, TTY: tty}
	console := c.Env.Console
	if !tty || console == nil {
		return st, func() {}
	}
	ctx, stop := context.WithCancel(c.Ctx)
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

// Attach runs argv in a running container with the streams and the terminal of the caller,
// and with the variables env. The error has the command's exit code.
func Attach(c *cli.Call, host engine.Terminal, id string, argv, env []string) error {
	tty := c.Env.Console != nil
	st, release := streams(c, tty)
	exit, err := host.ExecAttached(c.Ctx, id, argv, slices.Concat(env, terminalEnv(c, tty)), st)
	release()
	if err != nil {
		return coded(err)
	}
	return exited(exit)
}

// terminalEnv returns TERM for a command with a terminal, else nil.
func terminalEnv(c *cli.Call, tty bool) []string {
	if tty && c.Env.Console != nil && c.Env.Console.Type() != "" {
		return []string{"TERM=" + c.Env.Console.Type()}
	}
	return nil
}
