package command

import (
	"context"
	"io"

	"github.com/spf13/pflag"
)

// KeyManager runs the ssh-keys commands: args begin with the command's name,
// and were checked against its usage. Package hooks has the keys, and it lies
// above this one.
type KeyManager func(ctx context.Context, root string, args []string, stdin io.Reader, stdout io.Writer) error

var keyCommands = []spec{
	{
		use: "ssh-keys:add NAME [FILE]", short: "Let a public key push and run commands", asRoot: true,
		long:    "The key is read from FILE, or from standard input.",
		example: "cat ~/.ssh/id_ed25519.pub | ssh root@server dokku ssh-keys:add laptop",
		run: func(c *call) error {
			// A client's path means a file of the client's, which is not here.
			if len(c.args) > 1 && c.env.User != "" {
				return refuse("Cannot read %q over ssh: send the key on standard input", oneLine(c.args[1]))
			}
			return c.keys(c.args...)
		},
	},
	{
		use: "ssh-keys:list [NAME]", short: "List the keys that may push",
		flags: func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		run: func(c *call) error {
			if err := oneOf("format", c.value("format"), "text", "json"); err != nil {
				return err
			}
			return c.keys(append([]string{"--format", c.value("format")}, c.args...)...)
		},
	},
	{
		use: "ssh-keys:remove NAME", short: "Take a key's access away",
		flags: func(f *pflag.FlagSet) { f.Bool("fingerprint", false, "NAME is the key's fingerprint") },
		run: func(c *call) error {
			if c.flag("fingerprint") {
				return c.keys("--fingerprint", c.args[0])
			}
			return c.keys(c.args[0])
		},
	},
}

func (c *call) keys(args ...string) error {
	if c.env.Keys == nil {
		return refuse("Cannot manage ssh keys here: run the command on the server")
	}
	return c.env.Keys(c.ctx, c.env.Root, append([]string{c.cmd.Name()}, args...), c.env.Stdin, c.env.Stdout)
}
