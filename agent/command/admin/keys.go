package admin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/keys"
	"dokku/agent/store"
)

const aboutRoles = "An admin's key may do everything, which amounts to root. An operator's key runs its apps: deploys, config, domains,\n" +
	"processes, commands in their containers. A deployer's key pushes to its apps and reads their logs and states.\n"

var keyCommands = []cli.Spec{
	{
		Use: "ssh-keys:add NAME [FILE]", Role: cli.Admin, Short: "Allow a public key to push and run commands", AsRoot: true,
		Long: "It reads the key from FILE, or from standard input. Without --role it is an admin's.\n" + aboutRoles +
			"An operator's key without --app is for every app.",
		Example: "cat ~/.ssh/id_ed25519.pub | ssh root@server dokku ssh-keys:add laptop\n" +
			"dokku ssh-keys:add ci ci.pub --role deployer --app hello --expires 90d",
		Flags: grantFlags, Values: grantValues, Run: addKey,
	},
	{
		Use: "ssh-keys:list [NAME]", Role: cli.Admin, Short: "List the keys that may push",
		Flags:  func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("text", "json")},
		Words:  keyNames, Run: listKeys,
	},
	{
		Use: "ssh-keys:remove NAME", Role: cli.Admin, Short: "Revoke a key's access",
		Flags: func(f *pflag.FlagSet) { f.Bool("fingerprint", false, "NAME is the key's fingerprint") },
		Words: keyNames, Run: removeKey,
	},
	{
		Use: "ssh-keys:set NAME", Role: cli.Admin, Short: "Change what a key may do",
		Long: aboutRoles + "--app adds an app to those that the key is for; --no-app takes all of them away before. It takes effect with the key's\n" +
			"next connection.",
		Example: "dokku ssh-keys:set ci --no-app --app hello --app hello-staging\ndokku ssh-keys:set ann --role operator --expires never",
		Flags: func(f *pflag.FlagSet) {
			grantFlags(f)
			f.Bool("no-app", false, "take away the apps that it is for")
			f.Bool("no-config", false, "end --config")
		},
		Values: grantValues, Words: keyNames, Run: setKey,
	},
}

func grantFlags(f *pflag.FlagSet) {
	f.String("role", "", "admin, operator or deployer")
	f.StringArray("app", nil, "an app that the key is for, which need not exist yet; may be repeated")
	f.Bool("config", false, "a deployer may read values of the config")
	f.String("expires", "", "the last day (2027-01-31), a time, or a duration such as 12h, 30d, 8w; never")
}

var grantValues = map[string]func(*cli.Call) []string{
	"role": cli.OneOfWords(string(keys.Admin), string(keys.Operator), string(keys.Deployer)),
	"app": func(c *cli.Call) []string {
		apps, _ := c.Server.Env.Store.Apps()
		return apps
	},
}

func keyNames(c *cli.Call) (names []string) {
	all, _ := keys.List(c.Env.Root)
	for _, k := range all {
		names = append(names, k.Name)
	}
	return names
}

// regrant applies the flags of a command line to a grant.
func regrant(c *cli.Call, g *keys.Grant) error {
	was := g.Role
	if c.Changed("role") {
		if err := cli.OneOf("role", c.Value("role"), "admin", "operator", "deployer"); err != nil {
			return err
		}
		g.Role = keys.Role(c.Value("role"))
	}
	if c.Flag("no-app") {
		g.Apps = nil
	}
	for _, value := range c.List("app") {
		g.Apps = append(g.Apps, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })...)
	}
	if g.Role == keys.Admin && c.Changed("app") {
		return cli.Refuse("An admin's key is for every app: with --app, use --role operator or --role deployer too")
	}
	if g.Role == keys.Operator && was == keys.Admin && len(g.Apps) == 0 && !c.Flag("no-app") {
		g.Apps = []string{keys.AllApps}
	}
	if g.Role == keys.Deployer && !c.Changed("app") {
		g.Apps = slices.DeleteFunc(g.Apps, func(a string) bool { return a == keys.AllApps })
	}
	if c.Changed("config") {
		g.Config = c.Flag("config")
	}
	if c.Flag("no-config") || g.Role != keys.Deployer && !c.Changed("config") {
		g.Config = false
	}
	if c.Changed("expires") {
		at, err := keys.ParseExpiry(c.Value("expires"), time.Now())
		if err != nil {
			return err
		}
		g.Expires = at
	}
	return nil
}

// warnOfGrant says what a key lacks to be of use.
func warnOfGrant(c *cli.Call, name string, g keys.Grant) {
	if g.Role != keys.Admin && len(g.Apps) == 0 {
		c.Warn("The key %s is for no app yet: dokku ssh-keys:set %[1]s --app APP", name)
	}
	if set, err := c.Settings(); err == nil && g.Role == keys.Deployer && c.Changed("role") && set.Build[app.PropIsolation] == "" && !store.HasBuilder(set) {
		c.Warn("The engine builds what this key pushes, beside all other apps. To have it built apart: sudo ./install.sh builder")
	}
}

// maxKey is more than any public key needs, in bytes.
const maxKey = 64 << 10

func addKey(c *cli.Call) error {
	// Over ssh, the path names a file of the client, which is not on this server.
	if len(c.Args) > 1 && c.Env.User != "" {
		return cli.Refuse("Cannot read %q over ssh: send the key on standard input", event.OneLine(c.Args[1]))
	}
	grant := keys.Grant{Role: keys.Admin}
	if err := regrant(c, &grant); err != nil {
		return err
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
	// Only the key's own file may be readable for root alone.
	if c.Env.Become != nil {
		if err := c.Env.Become(); err != nil {
			return err
		}
	}
	if err := keys.Add(c.Env.Root, name, string(key), grant); err != nil {
		return err
	}
	k, err := keys.Find(c.Env.Root, name)
	if err == nil && k != nil {
		c.Print("%s\n", k.Fingerprint)
		warnOfGrant(c, name, k.Grant)
	}
	return err
}

func setKey(c *cli.Call) error {
	name := c.Args[0]
	if !slices.ContainsFunc([]string{"role", "app", "no-app", "config", "no-config", "expires"}, c.Changed) {
		return c.UsageError("Missing --role, --app, --no-app, --config, --no-config or --expires")
	}
	var set keys.Grant
	err := keys.Set(c.Env.Root, name, func(g *keys.Grant) error {
		err := regrant(c, g)
		set = *g
		return err
	})
	if err != nil {
		return err
	}
	c.Print("%s\n", rights(name, set))
	warnOfGrant(c, name, set)
	return nil
}

// rights describes what a key may do, in the words of ssh-keys:list.
func rights(name string, g keys.Grant) string {
	text := fmt.Sprintf("NAME=%q%s", name, g)
	if g.Role == keys.Admin && !strings.Contains(text, "ROLE=") {
		text += fmt.Sprintf(" ROLE=%q", g.Role)
	}
	return text
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

// printKeys prints the keys with the names of Dokku's JSON, and what they may do.
func printKeys(c *cli.Call, all []keys.Key) error {
	type entry struct {
		Name        string   `json:"name"`
		Fingerprint string   `json:"fingerprint"`
		Options     string   `json:"SSHCOMMAND_ALLOWED_KEYS"`
		Role        string   `json:"role"`
		Apps        []string `json:"apps,omitempty"`
		Services    []string `json:"services,omitempty"`
		Config      bool     `json:"config,omitempty"`
		Expires     string   `json:"expires,omitempty"`
		Expired     bool     `json:"expired,omitempty"`
	}
	list := []entry{}
	for _, k := range all {
		e := entry{k.Name, k.Fingerprint, k.Options, string(k.Grant.Role), k.Grant.Apps, k.Grant.Services, k.Grant.Config, "", k.Grant.Expired(time.Now())}
		if !k.Grant.Expires.IsZero() {
			e.Expires = k.Grant.Expires.Format(time.RFC3339)
		}
		list = append(list, e)
	}
	return c.PrintJSON(list)
}
