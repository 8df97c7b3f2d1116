package admin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/keys"
)

var keyCommands = []cli.Spec{
	{
		Use: "ssh-keys:add NAME [FILE]", Short: "Allow a public key to push and run commands", AsRoot: true,
		Long:    "It reads the key from FILE, or from standard input.",
		Example: "cat ~/.ssh/id_ed25519.pub | ssh root@server dokku ssh-keys:add laptop",
		Run:     addKey,
	},
	{
		Use: "ssh-keys:list [NAME]", Short: "List the keys that may push",
		Flags: func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		Run:   listKeys,
	},
	{
		Use: "ssh-keys:remove NAME", Short: "Revoke a key's access",
		Flags: func(f *pflag.FlagSet) { f.Bool("fingerprint", false, "NAME is the key's fingerprint") },
		Run:   removeKey,
	},
}

// maxKey is more than any public key needs, in bytes.
const maxKey = 64 << 10

func addKey(c *cli.Call) error {
	// Over ssh, the path names a file of the client, which is not on this server.
	if len(c.Args) > 1 && c.Env.User != "" {
		return cli.Refuse("Cannot read %q over ssh: send the key on standard input", event.OneLine(c.Args[1]))
	}
	name, from := c.Args[0], c.Env.Stdin
	if len(c.Args) > 1 {
		f, err := os.Open(c.Args[1])
		if err != nil {
			return fmt.Errorf("cannot read the key %s: %w", name, err)
		}
		defer f.Close()
		from = f
	}
	key, err := io.ReadAll(io.LimitReader(from, maxKey))
	if err != nil {
		return fmt.Errorf("cannot read the key %s: %w", name, err)
	}
	if err := keys.Add(c.Env.Root, name, string(key)); err != nil {
		return err
	}
	all, err := keys.List(c.Env.Root)
	for _, k := range all {
		if k.Name == name {
			c.Print("%s\n", k.Fingerprint)
		}
	}
	return err
}

// removeKey warns where there is no such key: scripts that clean up rely on Dokku's success.
func removeKey(c *cli.Call) error {
	err := keys.Remove(c.Env.Root, c.Args[0])
	if errors.Is(err, keys.ErrNoKey) {
		c.Warn("%s", err)
		return nil
	}
	return err
}

func listKeys(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "text", "json"); err != nil {
		return err
	}
	all, err := keys.List(c.Env.Root)
	if err != nil {
		return err
	}
	if len(c.Args) > 0 && c.Args[0] != "" {
		name := c.Args[0]
		all = slices.DeleteFunc(all, func(k keys.Key) bool { return k.Name != name })
		if len(all) == 0 && format != "json" {
			return cli.ErrSilent // as grep: scripts count the lines
		}
	}
	if format == "json" {
		return printKeys(c, all)
	}
	for _, k := range all {
		c.Print("%s\n", k)
	}
	return nil
}

// printKeys prints the keys with the names of Dokku's JSON.
func printKeys(c *cli.Call, all []keys.Key) error {
	type entry struct {
		Name        string `json:"name"`
		Fingerprint string `json:"fingerprint"`
		Options     string `json:"SSHCOMMAND_ALLOWED_KEYS"`
	}
	list := []entry{}
	for _, k := range all {
		list = append(list, entry(k))
	}
	return c.PrintJSON(list)
}
