package cli

import (
	"bytes"
	"context"
	"strings"

	"dokku/agent"
)

// Execute runs another command line of this program for the same person, and returns what
// it writes to standard output. Its warnings go where this command's go. The error is
// what the command would print.
func (c *Call) Execute(ctx context.Context, args []string, stdin string) (string, error) {
	return c.executeOn(ctx, c.Env.Root, c.Server, args, stdin)
}

// ExecuteOn is Execute for another DOKKU_ROOT.
func (c *Call) ExecuteOn(ctx context.Context, root string, args []string, stdin string) (string, error) {
	return c.executeOn(ctx, root, nil, args, stdin)
}

func (c *Call) executeOn(ctx context.Context, root string, server *agent.Server, args []string, stdin string) (string, error) {
	var out bytes.Buffer
	env := c.Env
	env.Root, env.Server = root, server
	env.Stdin, env.Stdout, env.Terminal, env.Console, env.Become = strings.NewReader(stdin), &out, false, nil, nil
	r := &Runner{Env: env, groups: c.groups, Quiet: true, Server: server}
	defer r.close()
	err := r.execute(ctx, args)
	return out.String(), err
}
