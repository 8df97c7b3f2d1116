package command

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"dokku/agent"
)

var appCommands = []spec{
	{
		use: "apps:create APP", short: "Create an app; its first push would too",
		newApp: true, run: runCreate,
	},
	{
		use: "apps:destroy APP", short: "Remove an app, with all it has",
		long: "The app's name has to be typed, unless --force is given.",
		flags: func(f *pflag.FlagSet) {
			f.Bool("force", false, "do not ask")
		},
		run: runDestroy,
	},
	{
		use: "apps:exists APP", short: "Exit with 0 if the app exists, else with 20",
		run: func(*call) error { return nil },
	},
	{use: "apps:list", short: "List all apps", flags: formatFlag, run: runList,
		values: map[string]func(*call) []string{"format": oneOfWords("stdout", "json")}},
	{
		use: "apps:lock APP", short: "Refuse deploys of the app",
		long: "Pushes and ps:rebuild are refused; everything else works. A deploy that is under way is waited for.",
		run:  func(c *call) error { return c.setLocked(true) },
	},
	{
		use: "apps:locked APP", short: "Exit with 0 if deploys of the app are refused, else with 1",
		run: func(c *call) error {
			if !c.app.State.Locked {
				return refuse("Deploy lock does not exist")
			}
			if !c.quiet {
				c.print("Deploy lock exists\n")
			}
			return nil
		},
	},
	{
		use: "apps:rename APP NEW-NAME", short: "Give the app another name, with all it has",
		long: "The new name is answered at once, and the app's own domains all the time. Then the processes are\n" +
			"replaced, as ps:restart does. With --skip-deploy those that run go on until the next deploy or restart;\n" +
			"until they have ended no other app can have the old name.",
		example: "dokku apps:rename hello world",
		missing: "Please specify an new app name",
		flags: func(f *pflag.FlagSet) {
			f.Bool("skip-deploy", false, "leave the processes that run")
		},
		run: runRename,
	},
	appReport.spec("Show where the app comes from, and whether it is locked"),
	{
		use: "apps:unlock APP", short: "Allow deploys of the app again",
		run: func(c *call) error {
			if !c.app.State.Locked {
				return refuse("Unable to remove deploy lock: there is none")
			}
			return c.setLocked(false)
		},
	},
}

func (c *call) setLocked(locked bool) error {
	log := c.events().WithApp(c.app.Name)
	if err := c.server.SetLocked(c.ctx, c.app.Name, locked, log); err != nil {
		return err
	}
	if locked {
		log.Step("Deploy lock created")
	} else {
		log.Step("Deploy lock removed")
	}
	return nil
}

func runRename(c *call) error {
	name := c.args[0]
	if name == "" {
		return refuse("Please specify an new app name")
	}
	if err := agent.ValidName(name); err != nil {
		return err
	}
	var none *agent.NoAppError
	if _, err := c.server.Load(name); !errors.As(err, &none) {
		return refuse("Name is already taken: app %s exists", name)
	}
	log := c.events()
	log.WithApp(c.app.Name).Step("Renaming %s to %s", c.app.Name, name)
	return c.server.Rename(c.ctx, c.app.Name, name, c.flag("skip-deploy"), log)
}

var appReport = reporter{
	noun: "apps", about: "app",
	keys: []string{"app-created-at", "app-deploy-source", "app-deploy-source-metadata", "app-dir", "app-locked"},
	collect: func(c *call, app *agent.App, _ string) (map[string]string, error) {
		created, err := c.server.Created(app)
		values := map[string]string{
			"app-created-at": strconv.FormatInt(created.Unix(), 10), "app-dir": app.Dir,
			"app-locked":        strconv.FormatBool(app.State.Locked),
			"app-deploy-source": "", "app-deploy-source-metadata": "",
		}
		if app.Deployed() {
			values["app-deploy-source"], values["app-deploy-source-metadata"] = "git-push", app.Current.Revision
		}
		return values, err
	},
}

func runCreate(c *call) error {
	name := c.args[0]
	if err := agent.ValidName(name); err != nil {
		return err
	}
	_, err := c.server.Load(name)
	var none *agent.NoAppError
	switch {
	case err == nil:
		return refuse("Name is already taken: app %s exists", name)
	case !errors.As(err, &none):
		return err
	}
	c.events().WithApp(name).Step("Creating %s...", name)
	return c.server.Create(c.ctx, name, false)
}

func runDestroy(c *call) error {
	name := c.app.Name
	if !c.force && !c.flag("force") {
		if err := confirm(c, name, "app "+name+", with its containers, images, settings and repository"); err != nil {
			return err
		}
	}
	log := c.events().WithApp(name)
	log.Step("Destroying %s (including all add-ons)", name)
	if err := c.server.Destroy(c.ctx, name, log); err != nil {
		return err
	}
	for _, what := range kept(c.app) {
		log.Detail("Kept: %s", what)
	}
	return nil
}

func runList(c *call) error {
	format := c.value("format")
	if err := oneOf("format", format, "stdout", "json"); err != nil {
		return err
	}
	apps, err := c.apps()
	if err != nil {
		return err
	}
	if format == "json" {
		data, err := json.Marshal(append([]string{}, apps...))
		c.print("%s\n", data)
		return err
	}
	if c.headings() {
		c.print("=====> My Apps\n")
	}
	for _, app := range apps {
		c.print("%s\n", app)
	}
	return nil
}

// kept says what apps:destroy leaves: the app's data, and networks that it shared.
func kept(app *agent.App) []string {
	mounts, networks := slices.Clone(app.State.Mounts), []string(nil)
	if app.Deployed() {
		mounts, networks = append(mounts, app.Current.Mounts...), app.Current.Networks
	}
	var list []string
	for _, m := range mounts {
		what := "folder "
		if m.Volume() {
			what = "volume "
		}
		if !slices.Contains(list, what+m.Source) {
			list = append(list, what+m.Source)
		}
	}
	for _, n := range networks {
		list = append(list, "network "+n)
	}
	return list
}
