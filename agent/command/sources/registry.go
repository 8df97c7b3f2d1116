package sources

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/sources"
	"dokku/build/registry"
)

var registryCommands = []cli.Spec{
	{
		Use: "registry:login APP SERVER [USER] [PASSWORD]", Short: "Store the password for a registry of images",
		Long: "It is checked at the registry first. The images of the app's builds and of git:from-image are pulled with it.\n" +
			"With --global instead of APP it is that of all apps. --password-stdin reads the password from standard input.",
		Example: "cat token | dokku registry:login --global --password-stdin ghcr.io bot",
		Missing: "Missing server argument", NewApp: true,
		Flags: func(f *pflag.FlagSet) {
			f.Bool("global", false, "for all apps")
			f.Bool("password-stdin", false, "read the password from standard input")
		},
		Run: runLogin,
	},
	{
		Use: "registry:logout APP [SERVER]", Short: "Remove the password for a registry of images",
		Missing: "Missing server argument", NewApp: true,
		Flags: func(f *pflag.FlagSet) { f.Bool("global", false, "that of all apps") },
		Run:   runLogout,
	},
	registryReport.Spec("Show the settings of registries"),
	{
		Use: "registry:set APP KEY [VALUE]", Short: "Refuse to push images to a registry, with the reason",
		Long: "Releases' images stay on this server, so the properties of Dokku that push them elsewhere have no effect here.\n" +
			"Unsetting one is accepted.",
		Missing: "No property specified",
		Flags:   func(f *pflag.FlagSet) { f.Bool("global", false, "the default of all apps") },
		Words:   func(*cli.Call) []string { return pushProperties },
		Run:     runSet,
	},
}

// runLogin accepts the forms of Dokku: an app or --global before the server, and three
// words alone, which are the server's login too.
func runLogin(c *cli.Call) error {
	words, stdin := c.Args, c.Flag("password-stdin")
	complete := 3 // server, user, password
	if stdin {
		complete = 2
	}
	name := ""
	switch {
	case c.Flag("global"):
	case len(words) == complete:
		c.Warn("Deprecated: please use --global flag for global registry login")
	default:
		name, words = words[0], words[1:]
		if _, err := c.Server.Load(name); err != nil {
			return err
		}
	}
	if len(words) > complete {
		return c.UsageError("Unexpected argument %q", words[complete])
	}
	words = append(slices.Clone(words), "", "", "")
	l := registry.Login{User: words[1], Secret: words[2]}
	if stdin {
		var err error
		if l.Secret, err = c.ReadPassword(); err != nil {
			return err
		}
		l.Secret = strings.TrimSpace(l.Secret)
	}
	switch {
	case words[0] == "":
		return cli.Refuse("Missing server argument")
	case l.User == "":
		return cli.Refuse("Missing username argument")
	case l.Secret == "":
		return cli.Refuse("Missing password argument")
	}
	if err := (&sources.Importer{Server: c.Server}).Login(c.Ctx, name, words[0], l); err != nil {
		return cli.Refuse("Unable to run docker login: %w", err)
	}
	if name == "" {
		name = "global registry"
	}
	c.Events().Warn("Login Succeeded for %s", name) // on stderr, as in Dokku
	return nil
}

func runLogout(c *cli.Call) error {
	name, words := "", c.Args
	if !c.Flag("global") && len(words) > 1 {
		name, words = words[0], words[1:]
		if _, err := c.Server.Load(name); err != nil {
			return err
		}
	}
	if len(words) > 1 {
		return c.UsageError("Unexpected argument %q", words[1])
	}
	if words[0] == "" {
		return cli.Refuse("Missing server argument")
	}
	if err := (&sources.Importer{Server: c.Server}).Logout(c.Ctx, name, words[0]); err != nil {
		return cli.Refuse("Unable to run docker logout: %w", err)
	}
	c.Events().Step("Removed login for %s", words[0])
	return nil
}

// pushProperties are Dokku's properties for pushing images to a registry.
var pushProperties = []string{"image-repo", "image-repo-template", "push-extra-tags", "push-on-release", "server"}

func runSet(c *cli.Call) error {
	name, value := c.Args[0], strings.Join(c.Args[1:], " ")
	switch {
	case !slices.Contains(pushProperties, name):
		return cli.Refuse("Invalid property specified, valid properties include: %s", strings.Join(pushProperties, ", "))
	case name == "image-repo" && c.App == nil:
		return cli.Refuse("Property cannot be specified globally")
	case value == "":
		c.Events().Result("Unsetting %s", name)
		return nil
	case name == "push-on-release" && value == "false":
		c.Events().Result("Setting %s to %s", name, value)
		return nil
	}
	return cli.Refuse("Cannot set %s: the images of releases stay on this server, none is pushed to a registry; dokku backup --images saves them", name)
}

// logins is the value of the report that Dokku does not have, so it has to be asked for.
const logins = "registry-logins"

var registryReport = cli.Reporter{
	Noun: "registry",
	Keys: registryKeys(),
	Collect: func(c *cli.Call, a *app.App, only string) (map[string]string, error) {
		values := map[string]string{}
		for _, key := range registryKeys() {
			values[key] = ""
		}
		values["registry-computed-image-repo"] = engine.TagPrefix + a.Name
		values["registry-computed-push-on-release"] = "false"
		return values, addLogins(c, values, a.Name, only)
	},
	Global: func(c *cli.Call) (map[string]string, error) {
		values := map[string]string{"registry-computed-push-on-release": "false"}
		for _, name := range pushProperties[1:] {
			values["registry-global-"+name] = ""
			if name != "push-on-release" {
				values["registry-computed-"+name] = ""
			}
		}
		return values, addLogins(c, values, "", logins)
	},
}

// addLogins adds the registries that there is a login for, where it is asked for.
func addLogins(c *cli.Call, values map[string]string, name, only string) error {
	delete(values, logins)
	if only != logins {
		return nil
	}
	servers, err := (&sources.Importer{Server: c.Server}).Logins(name)
	values[logins] = strings.Join(servers, " ")
	return err
}

func registryKeys() []string {
	keys := []string{logins, "registry-computed-image-repo", "registry-image-repo", "registry-tag-version"}
	for _, name := range pushProperties[1:] {
		keys = append(keys, "registry-"+name, "registry-computed-"+name, "registry-global-"+name)
	}
	return cli.Sorted(keys)
}
