package services

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/services"
	"dokku/agent/store"
)

// Commands returns the commands of all kinds of a DOKKU_ROOT.
func Commands(root string) (list []cli.Spec) {
	dir := services.KindsDir(&store.Store{Root: root})
	kinds, failed := services.Kinds(dir)
	for _, k := range kinds {
		list = append(list, of(k)...)
	}
	if failed != nil {
		files, _ := filepath.Glob(filepath.Join(dir, "*.toml"))
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".toml")
			broken := strings.Contains(failed.Error(), file)
			if !broken {
				continue
			}
			list = slices.DeleteFunc(list, func(s cli.Spec) bool { return strings.HasPrefix(s.Use, name+":") })
			for _, s := range of(services.Kind{Name: name, Title: name, Ports: []int{0}}) {
				s.Run = func(*cli.Call) error { return fmt.Errorf("cannot use the kind of service %s: %w", name, failed) }
				s.Use, s.Raw = strings.Fields(s.Use)[0], true
				list = append(list, s)
			}
		}
	}
	return list
}

// noName is what Dokku's plugins say without a service.
const noName = "Please specify a valid name for the service"

// A command is a command of all kinds.
type command struct {
	words string // after NOUN:
	short string // %s is the kind's title
	long  string
	flags func(*pflag.FlagSet)
	// app: an app may come last.
	app bool
	// own: an operator's key may run it on its services.
	own bool
	run func(*cli.Call, services.Kind) error
}

var commands = []command{
	{words: "app-links APP", own: true, short: "List the %s services that an app is linked to", flags: cli.FormatFlag, run: appLinks},
	{words: "clone SERVICE NEW-SERVICE", short: "Make a %s service with the data of another one", flags: createFlags, run: clone,
		long: "Both run meanwhile; what is written to SERVICE after the copy began is not in NEW-SERVICE.\n" +
			"With --image-version it is the way to another major version."},
	{words: "connect SERVICE", own: true, short: "Open the console of a %s service", run: connect},
	{words: "create SERVICE", short: "Make a %s service and wait until it is ready", run: create,
		flags: func(f *pflag.FlagSet) {
			createFlags(f)
			f.Bool("keep-data", false, "take up the data of a service of this name that was destroyed with --keep-data")
		},
		long: "It gets a network, a volume and passwords of its own. If it does not become ready, nothing is left of it.\n" +
			"KIND_IMAGE, KIND_IMAGE_VERSION, KIND_CUSTOM_ENV and KIND_CONFIG_OPTIONS in the environment stand for missing flags."},
	{words: "destroy SERVICE", short: "Remove a %s service that no app is linked to, and its data", run: destroy,
		flags: func(f *pflag.FlagSet) {
			f.BoolP("force", "f", false, "do not ask for confirmation")
			f.Bool("keep-data", false, "keep the volume and the passwords; create --keep-data takes them up again")
		},
		long: "It asks you to type the service's name, unless --force is given."},
	{words: "enter SERVICE [COMMAND...]", own: true, short: "Open a shell in the container of a %s service, or run a command in it",
		flags: func(f *pflag.FlagSet) { f.SetInterspersed(false) }, run: enter},
	{words: "exists SERVICE", own: true, short: "Exit with 0 if the %s service exists, else with 1", run: exists},
	{words: "export SERVICE", own: true, short: "Write a dump of a %s service to standard output", run: export},
	{words: "expose SERVICE [PORT...]", short: "Make a %s service reachable at ports of the server", run: expose,
		long: "A PORT is one of this server, on all of its addresses, or ADDRESS:PORT such as 127.0.0.1:5432. Without any, free\n" +
			"ones are chosen. The service is restarted, which takes some seconds."},
	{words: "import SERVICE", own: true, short: "Load a dump from standard input into a %s service", run: load},
	{words: "info SERVICE", own: true, short: "Show a %s service with its URL, or one value", flags: infoFlags, run: info},
	{words: "isolate SERVICE", own: true, short: "Keep the container of a %s service from hurting the server and other apps", run: isolate,
		flags: func(f *pflag.FlagSet) {
			f.Bool("off", false, "give it the rights of Docker's defaults again; on the server itself, not over ssh")
		},
		long: "New services have it. One of an older version keeps the rights of Docker's defaults until this command. It gets\n" +
			"another container, which takes some seconds. If that does not become ready, the former one comes back."},
	{words: "link SERVICE APP", own: true, short: "Link an app to a %s service: set its URL and restart the app", app: true, run: link,
		flags: func(f *pflag.FlagSet) {
			f.StringP("alias", "a", "", "set ALIAS_URL instead of the usual variable")
			f.StringP("querystring", "q", "", "add this to the URL: pool=5")
			f.BoolP("no-restart", "n", false, "the link takes effect with the next deploy or restart")
		},
		long: "If the variable is taken, DOKKU_KIND_COLOUR_URL is set. If the app does not start with it, nothing has changed."},
	{words: "linked SERVICE APP", own: true, short: "Exit with 0 if the app is linked to the %s service, else with 1", app: true, run: linked},
	{words: "links SERVICE", own: true, short: "List the apps that are linked to a %s service", flags: cli.FormatFlag, run: links},
	{words: "list", own: true, short: "List the %s services", flags: cli.FormatFlag, run: list},
	{words: "logs SERVICE [LINES]", own: true, short: "Show the log of a %s service", run: logs,
		flags: func(f *pflag.FlagSet) { f.BoolP("tail", "t", false, "show new lines until interrupted") }},
	{words: "pause SERVICE", own: true, short: "Stop the container of a %s service", run: pause},
	{words: "promote SERVICE APP", own: true, short: "Make a linked %s service the app's first one, and restart the app", app: true, run: promote},
	{words: "restore SERVICE [BACKUP]", short: "Make a %s service with the data of a kept backup", flags: restoreFlags, run: restore,
		long: "BACKUP is an id of backup-list; without it, it is the last proven one. --force loads it into a service that exists."},
	{words: "restart SERVICE", own: true, short: "Stop a %s service and start it again", run: restart},
	{words: "set SERVICE KEY [VALUE]", short: "Set or unset a property of a %s service", run: set,
		long: "Properties: " + strings.Join(services.Properties, ", ") + ".\nEach is a list of networks, separated by commas, that the container joins beside its own. " +
			"It takes effect\nwhen the service is stopped and started."},
	{words: "start SERVICE", own: true, short: "Start a %s service", run: start},
	{words: "stop SERVICE", own: true, short: "Stop a %s service and remove its container; the data stay", run: stop},
	{words: "unexpose SERVICE", short: "Take the ports of the server away from a %s service", run: unexpose},
	{words: "unlink SERVICE APP", own: true, short: "Remove an app's link to a %s service, and restart the app", app: true, run: unlink,
		flags: func(f *pflag.FlagSet) {
			f.BoolP("no-restart", "n", false, "the app keeps the URL until its next deploy or restart")
		}},
	{words: "upgrade SERVICE", short: "Give a %s service another image or other options", run: upgrade,
		flags: func(f *pflag.FlagSet) {
			imageFlags(f)
			f.Bool("back", false, "return to the data before the last copy")
			f.Bool("forget", false, "remove the data that the last copy, or the way back, has kept")
			f.StringP("restart-apps", "R", "false", "stop the linked apps meanwhile: true or false")
		},
		long: "Without flags it gets the image that create uses now. If the new container does not become ready, the former one\n" +
			"comes back.\n" +
			"Where a newer major version does not use the data, they are dumped and loaded into a new volume while nobody can\n" +
			"connect, and compared. The former data stay until --forget; --back returns to them, and again to the newer ones."},
}

// imageFlags are the flags of a container's image and options.
func imageFlags(f *pflag.FlagSet) {
	f.StringP("config-options", "c", "", "arguments of the server in the container")
	f.StringP("custom-env", "C", "", "variables of the container: NAME=value;OTHER=value")
	f.StringP("image", "i", "", "the image, instead of the usual one")
	f.StringP("image-version", "I", "", "the version of the image")
	f.StringP("initial-network", "N", "", "networks to join, separated by commas")
	f.StringP("memory", "m", "", "limit of memory in megabytes")
	f.StringP("post-create-network", "P", "", "further networks to join")
	f.StringP("post-start-network", "S", "", "further networks to join")
	f.StringP("shm-size", "s", "", "size of /dev/shm: 256m")
}

// imageFlagNames are the names of imageFlags.
var imageFlagNames = func() (names []string) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	imageFlags(f)
	f.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}()

func createFlags(f *pflag.FlagSet) {
	imageFlags(f)
	f.StringP("password", "p", "", "the password, instead of a random one")
	f.StringP("root-password", "r", "", "the password of the root user, instead of a random one")
}

// of returns the commands of a kind.
func of(k services.Kind) (list []cli.Spec) {
	for _, c := range commands {
		s := cli.Spec{Use: k.Name + ":" + c.words, Short: fmt.Sprintf(c.short, k.Title), Long: c.long, Flags: c.flags,
			Missing: noName, AppLast: c.app, Kind: k.Title, Run: func(call *cli.Call) error { return c.run(call, k) }}
		if s.Role = cli.Admin; c.own {
			s.Role = cli.Operator
		}
		s.Service, s.Scoped = strings.Contains(c.words, " SERVICE"), c.words == "list"
		switch verb, rest, _ := strings.Cut(c.words, " "); {
		case verb == "set":
			s.Missing = "No key specified"
			s.Words = propertyWords(k)
		case strings.HasPrefix(rest, "SERVICE"):
			s.Words = serviceWords(k, c.app)
		}
		if c.words == "clone SERVICE NEW-SERVICE" {
			s.Missing = "Please specify a name for the new service"
		}
		list = append(list, s)
	}
	for _, s := range backups(k).Commands() {
		s.Kind, s.Words = k.Title, serviceWords(k, false)
		list = append(list, s)
	}
	return list
}

// serviceWords completes the names of services, and then of apps.
func serviceWords(k services.Kind, app bool) func(*cli.Call) []string {
	return func(c *cli.Call) []string {
		switch {
		case len(c.Args) == 0:
			return names(c, k)
		case app && len(c.Args) == 1:
			apps, _ := c.Server.Env.Store.Apps()
			return apps
		}
		return nil
	}
}

func propertyWords(k services.Kind) func(*cli.Call) []string {
	return func(c *cli.Call) []string {
		switch len(c.Args) {
		case 0:
			return names(c, k)
		case 1:
			return services.Properties
		}
		return nil
	}
}

// names lists the services of a kind for completions.
func names(c *cli.Call, k services.Kind) (list []string) {
	all, _ := manager(c).List(k)
	for _, s := range all {
		list = append(list, s.Name)
	}
	return list
}

// manager has the services without an engine: it reads records.
func manager(c *cli.Call) *services.Manager { return &services.Manager{Store: c.Server.Env.Store} }
