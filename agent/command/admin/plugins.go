package admin

import (
	"path"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/services"
)

// A plugin is a part of Dokku that is built in here.
type plugin struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Status      string `json:"status"`
	Description string `json:"description"`
	Core        bool   `json:"core"`
}

// builtIn are the plugins of Dokku whose commands this program has. Clients look for the
// ones that they need before they use them.
var builtIn = []string{"20_events", "app-json", "apps", "builder", "builder-dockerfile", "builder-herokuish", "builder-null", "builder-pack",
	"builder-railpack", "buildpacks", "builds", "certs", "checks", "config", "cron", "docker-options", "domains", "enter", "git", "logs", "network",
	"nginx-vhosts", "plugin", "ports", "proxy", "ps", "registry", "repo", "resource", "run", "ssh-keys", "storage"}

// added are the plugins that Dokku's users install, and that are built in here.
var added = []string{"acl", "global-cert", "http-auth", "letsencrypt", "maintenance", "mariadb", "memcached", "mongo", "mysql", "postgres", "rabbitmq", "redirect", "redis"}

var pluginCommands = []cli.Spec{{
	Use: "plugin:install URL [NAME]", Role: cli.Anybody, Short: "Exit with 0 if a plugin of Dokku is built in, for scripts that install it", Rootless: true,
	Long: "Nothing can be installed. The plugin's name is the end of the URL, NAME, or that of --name.", Missing: "Please specify a plugin",
	Flags: func(f *pflag.FlagSet) {
		f.String("name", "", "the plugin's name")
		f.String("committish", "", "accepted, and without effect")
		f.Bool("core", false, "accepted, and without effect")
		f.Bool("skip-install-trigger", false, "accepted, and without effect")
	},
	Run: installPlugin,
}, {
	Use: "plugin:installed NAME", Role: cli.Anybody, Short: "Exit with 0 if a plugin of Dokku is built in", Rootless: true, Missing: "Please specify a plugin",
	Run: func(c *cli.Call) error {
		if !slices.Contains(slices.Concat(builtIn, added), c.Args[0]) {
			return cli.ErrSilent
		}
		return nil
	},
}, {
	Use: "plugin:list", Role: cli.Anybody, Short: "List the plugins of Dokku whose commands are built in", Rootless: true,
	Long:  "Nothing can be installed beside them. The version is that of the Dokku whose interface this program has.",
	Flags: cli.FormatFlag, Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
	Run: listPlugins,
}, {
	Use: "plugin:trigger TRIGGER [WORD...]", Role: cli.Admin, Short: "With service-list, list the services of all kinds, for scripts",
	Long: "Each line is KIND:NAME. No other trigger can be run.", Missing: "Please specify a trigger", Run: trigger,
	Words: func(*cli.Call) []string { return []string{"service-list"} },
}}

func installPlugin(c *cli.Call) error {
	name := c.Value("name")
	if name == "" && len(c.Args) > 1 {
		name = c.Args[1]
	}
	if name == "" {
		name = strings.TrimPrefix(strings.TrimSuffix(path.Base(c.Args[0]), ".git"), "dokku-")
	}
	if !slices.Contains(slices.Concat(builtIn, added), name) {
		return cli.Refuse("Cannot install %s: nothing can be installed; dokku plugin:list lists what is built in", event.OneLine(name))
	}
	c.Print("-----> %s is built in: nothing to install\n", name)
	return nil
}

func listPlugins(c *cli.Call) error {
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	var list []plugin
	for _, name := range builtIn {
		list = append(list, plugin{name, cli.Interface, "enabled", "dokku core " + name + " plugin", true})
	}
	for _, name := range added {
		list = append(list, plugin{name, cli.Interface, "enabled", "dokku " + name + " plugin, built in", false})
	}
	if c.Value("format") == "json" {
		return c.PrintJSON(list)
	}
	for _, p := range list {
		c.Print("  %-20s %-10s %s    %s\n", p.Name, p.Version, p.Status, p.Description)
	}
	return nil
}

// trigger answers the trigger with which clients look for services.
func trigger(c *cli.Call) error {
	if asked := strings.Join(c.Args, " "); asked != "service-list" {
		return cli.Refuse("Cannot run the trigger %s: plugins are built in; the only trigger is service-list", event.OneLine(asked))
	}
	m := &services.Manager{Store: c.Server.Env.Store}
	kinds, failed := services.Kinds(services.KindsDir(m.Store))
	for _, k := range kinds {
		list, err := m.List(k)
		if err != nil {
			return err
		}
		for _, s := range list {
			c.Print("%s:%s\n", k.Name, s.Name)
		}
	}
	if failed != nil {
		c.Warn("%s", failed)
	}
	return nil
}
