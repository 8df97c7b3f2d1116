package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"dokku/agent/keys"
)

var keyCommands = []spec{
	{
		use: "ssh-keys:add NAME [FILE]", short: "Let a public key push and run commands", asRoot: true,
		long:    "The key is read from FILE, or from standard input.",
		example: "cat ~/.ssh/id_ed25519.pub | ssh root@server dokku ssh-keys:add laptop",
		run:     addKey,
	},
	{
		use: "ssh-keys:list [NAME]", short: "List the keys that may push",
		flags: func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		run:   listKeys,
	},
	{
		use: "ssh-keys:remove NAME", short: "Take a key's access away",
		flags: func(f *pflag.FlagSet) { f.Bool("fingerprint", false, "NAME is the key's fingerprint") },
		run:   func(c *call) error { return keys.Remove(c.env.Root, c.args[0]) },
	},
}

// maxKey is more than any public key needs, in bytes.
const maxKey = 64 << 10

func addKey(c *call) error {
	// A client's path means a file of the client's, which is not here.
	if len(c.args) > 1 && c.env.User != "" {
		return refuse("Cannot read %q over ssh: send the key on standard input", oneLine(c.args[1]))
	}
	name, from := c.args[0], c.env.Stdin
	if len(c.args) > 1 {
		f, err := os.Open(c.args[1])
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
	if err := keys.Add(c.env.Root, name, string(key)); err != nil {
		return err
	}
	all, err := keys.List(c.env.Root)
	for _, k := range all {
		if k.Name == name {
			c.print("%s\n", k.Fingerprint)
		}
	}
	return err
}

func listKeys(c *call) error {
	format := c.value("format")
	if err := oneOf("format", format, "text", "json"); err != nil {
		return err
	}
	all, err := keys.List(c.env.Root)
	if err != nil {
		return err
	}
	if len(c.args) > 0 && c.args[0] != "" {
		name := c.args[0]
		all = slices.DeleteFunc(all, func(k keys.Key) bool { return k.Name != name })
		if len(all) == 0 {
			return fmt.Errorf("cannot list the key %q: there is none of this name", name)
		}
	}
	if format == "json" {
		return printKeys(c, all)
	}
	for _, k := range all {
		c.print("%s\n", k)
	}
	return nil
}

// printKeys uses the names that Dokku's own JSON has.
func printKeys(c *call, all []keys.Key) error {
	type entry struct {
		Name        string `json:"name"`
		Fingerprint string `json:"fingerprint"`
		Options     string `json:"SSHCOMMAND_ALLOWED_KEYS"`
	}
	list := []entry{}
	for _, k := range all {
		list = append(list, entry(k))
	}
	return json.NewEncoder(c.env.Stdout).Encode(list)
}
