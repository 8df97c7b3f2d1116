package sources

import (
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/sources"
	"dokku/build/registry"
)

var registryCommands = []cli.Spec{
	{
		Use: "registry:login APP SERVER [USER] [PASSWORD]", Role: cli.Operator, Short: "Store the password for a registry of images",
		Long: "It is checked at the registry first. The images of the app's builds and of git:from-image are pulled with it, and those of\n" +
			"releases are pushed with it (registry:set push-on-release).\n" +
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
		Use: "registry:logout APP [SERVER]", Role: cli.Operator, Short: "Remove the password for a registry of images",
		Missing: "Missing server argument", NewApp: true,
		Flags: func(f *pflag.FlagSet) { f.Bool("global", false, "that of all apps") },
		Run:   runLogout,
	},
	registryReport.Spec("Show the settings of registries, and where the current release's image is"),
	registryProperties.Spec("Set or unset the registry that the images of releases are pushed to"),
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
		if err := c.NeedsAdmin("registry:login without an app"); err != nil {
			return err
		}
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
	if err := (&sources.Importer{Server: c.Server, Bounded: !c.Admin()}).Login(c.Ctx, name, words[0], l); err != nil {
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
	switch {
	case c.Flag("global"):
	case len(words) > 1:
		name, words = words[0], words[1:]
		if _, err := c.Server.Load(name); err != nil {
			return err
		}
	default: // the only word is the server
		if err := c.NeedsAdmin("registry:logout without an app"); err != nil {
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

// registryProperties are Dokku's.
var registryProperties = cli.Properties{
	Noun: "registry", Role: cli.Admin,
	List: []cli.Property{
		{Name: app.PropImageRepo, OnlyApp: true, Check: func(value string) error {
			return checkRepo(app.PropImageRepo, value)
		}},
		{Name: app.PropImageRepoTemplate, Check: func(value string) error {
			name, err := app.ImageRepoOf(value, "app")
			if err != nil {
				return cli.Refuse("Invalid %s specified: %w", app.PropImageRepoTemplate, err)
			}
			return checkRepo(app.PropImageRepoTemplate, name)
		}},
		{Name: app.PropExtraTags, Check: func(value string) error {
			if err := app.CheckTags(value); err != nil {
				return cli.Refuse("Invalid %s specified: %w", app.PropExtraTags, err)
			}
			return nil
		}},
		{Name: app.PropPushOnRelease, Default: "false", Check: func(value string) error {
			return cli.OneOf(app.PropPushOnRelease, value, "true", "false")
		}},
		{Name: app.PropRegistry, Check: func(value string) error {
			server := app.RegistryServer(value)
			if _, err := registry.Key(strings.TrimSuffix(server, "/")); err != nil && server != "" {
				return cli.Refuse("Invalid %s specified: %w", app.PropRegistry, err)
			}
			return nil
		}},
	},
	Get:    func(st *app.State, name string) string { return st.Registry[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Registry, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Registry },
}

// checkRepo checks the name of an image without a registry and a tag.
func checkRepo(property, value string) error {
	if named, err := reference.ParseNormalizedNamed("registry.example.com/" + value); err != nil || !reference.IsNameOnly(named) {
		return cli.Refuse("Invalid %s specified: %q is not the name of an image without registry and tag, such as team/web", property, event.OneLine(value))
	}
	return nil
}

// Values of the report that Dokku does not have. The logins have to be asked for.
const (
	logins      = "registry-logins"
	remoteImage = "registry-image"
)

var registryReport = cli.Reporter{
	Noun: "registry",
	Keys: cli.Sorted(append(registryProperties.Keys(), logins, remoteImage, "registry-tag-version")),
	Own:  []string{"image"},
	Collect: func(c *cli.Call, a *app.App, only string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		values := map[string]string{"registry-tag-version": "", remoteImage: ""}
		registryProperties.Report(values, &a.State, v.Settings)
		values["registry-computed-image-repo"] = v.ImageRepo()
		values["registry-computed-server"] = v.RegistryServer()
		if r := a.Current; r != nil && r.Remote != "" {
			values[remoteImage], values["registry-tag-version"] = r.Remote, strconv.Itoa(r.RemoteTag)
		}
		return values, addLogins(c, values, a.Name, only)
	},
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		values := registryProperties.Global(set)
		values["registry-computed-server"] = app.RegistryServer(set.Registry[app.PropRegistry])
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
