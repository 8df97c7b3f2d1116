package apps

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
)

// Commands are the commands of this package.
var Commands = slices.Concat(appCommands, gitCommands, cleanupCommands, importCommands)

var appCommands = []cli.Spec{
	{
		Use: "apps:clone APP NEW-NAME", Short: "Make another app with the code and the settings of the app",
		Long: "Config, scale, ports, storage, networks, checks and all properties are copied, and the repository. Domains, redirects,\n" +
			"certificates and releases are not. Then the clone is deployed: it shares the folders, volumes and databases.",
		Example: "dokku apps:clone hello hello-staging",
		Missing: "Please specify an new app name",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("skip-deploy", false, "do not deploy the clone")
			f.Bool("ignore-existing", false, "exit with 0 if there is an app of that name")
		},
		Run: runClone,
	},
	{
		Use: "apps:create APP", Short: "Create an app; a first push does so too",
		NewApp: true, Run: runCreate,
	},
	{
		Use: "apps:destroy APP", Short: "Remove an app and all it has",
		Long: "It asks you to type the app's name, unless --force is given.",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("force", false, "do not ask for confirmation")
		},
		Run: runDestroy,
	},
	{
		Use: "apps:exists APP", Short: "Exit with 0 if the app exists, else with 20",
		Run: func(*cli.Call) error { return nil },
	},
	{Use: "apps:list", Short: "List all apps", Flags: cli.FormatFlag, Run: runList,
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")}},
	{
		Use: "apps:lock APP", Short: "Refuse deploys of the app",
		Long: "Pushes and ps:rebuild are refused; all other commands work. It waits for a running deploy.",
		Run:  func(c *cli.Call) error { return setLocked(c, true) },
	},
	{
		Use: "apps:locked APP", Short: "Exit with 0 if deploys of the app are refused, else with 1",
		Run: func(c *cli.Call) error {
			if !c.App.State.Locked {
				return cli.Refuse("Deploy lock does not exist")
			}
			if !c.Quiet {
				c.Print("Deploy lock exists\n")
			}
			return nil
		},
	},
	{
		Use: "apps:rename APP NEW-NAME", Short: "Give the app and all it has another name",
		Long: "The app answers to the new name at once; its own domains never stop answering. Then the processes are\n" +
			"replaced, as ps:restart does. With --skip-deploy the running processes stay until the next deploy or\n" +
			"restart. No other app can have the old name until they have ended.",
		Example: "dokku apps:rename hello world",
		Missing: "Please specify an new app name",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("skip-deploy", false, "keep the running processes")
		},
		Run: runRename,
	},
	appProperties.Spec("Say where the app comes from, or, with --global, whether a push may create an app"),
	appReport.Spec("Show where the app comes from, and whether it is locked"),
	{
		Use: "apps:unlock APP", Short: "Allow deploys of the app again",
		Run: func(c *cli.Call) error {
			if !c.App.State.Locked {
				return cli.Refuse("Unable to remove deploy lock: there is none")
			}
			return setLocked(c, false)
		},
	},
}

func setLocked(c *cli.Call, locked bool) error {
	log := c.Events().WithApp(c.App.Name)
	if err := c.Server.SetLocked(c.Ctx, c.App.Name, locked, log); err != nil {
		return err
	}
	if locked {
		log.Step("Deploy lock created")
	} else {
		log.Step("Deploy lock removed")
	}
	return nil
}

func runRename(c *cli.Call) error {
	name := c.Args[0]
	if name == "" {
		return cli.Refuse("Please specify an new app name")
	}
	if err := app.ValidName(name); err != nil {
		return err
	}
	var none *app.NoAppError
	if _, err := c.Server.Env.Store.Load(name); !errors.As(err, &none) {
		return cli.Refuse("Name is already taken: app %s exists", name)
	}
	log := c.Events()
	log.WithApp(c.App.Name).Step("Renaming %s to %s", c.App.Name, name)
	return c.Server.Rename(c.Ctx, c.App.Name, name, c.Flag("skip-deploy"), log)
}

func runClone(c *cli.Call) error {
	name := c.Args[0]
	if name == "" {
		return cli.Refuse("Please specify an new app name")
	}
	if err := app.ValidName(name); err != nil {
		return err
	}
	var none *app.NoAppError
	if _, err := c.Server.Env.Store.Load(name); !errors.As(err, &none) {
		if c.Flag("ignore-existing") {
			c.Warn("Name is already taken")
			return nil
		}
		return cli.Refuse("Name is already taken: app %s exists", name)
	}
	log := c.Events().WithApp(name)
	log.Step("Cloning %s to %s", c.App.Name, name)
	if err := c.Server.Clone(c.Ctx, c.App.Name, name, log); err != nil {
		return err
	}
	clone, err := c.Server.View(name)
	if err != nil || c.Flag("skip-deploy") {
		return err
	}
	revision, err := deploy.Undeployed(clone)
	if err != nil || revision == "" { // nothing was ever pushed
		return err
	}
	if err := c.Server.Rebuild(c.Ctx, name, log); err != nil {
		return cli.Refuse("%s is made, but not deployed: %w", name, err)
	}
	return nil
}

var appReport = cli.Reporter{
	Noun: "apps", About: "app",
	Own:    []string{noAutoCreate},
	Keys:   []string{"app-created-at", "app-deploy-source", "app-deploy-source-metadata", "app-dir", "app-global-disable-autocreation", "app-locked"},
	Global: globalApps,
	Collect: func(c *cli.Call, app *app.App, _ string) (map[string]string, error) {
		created, err := c.Server.Env.Store.Created(app)
		values := map[string]string{
			"app-created-at": strconv.FormatInt(created.Unix(), 10), "app-dir": app.Dir,
			"app-locked":        strconv.FormatBool(app.State.Locked),
			"app-deploy-source": "", "app-deploy-source-metadata": "",
		}
		if app.Deployed() {
			values["app-deploy-source"], values["app-deploy-source-metadata"] = "git-push", app.Current.Revision
			if from := app.Current.Source; from != nil {
				values["app-deploy-source"], values["app-deploy-source-metadata"] = from.Kind, from.From
			}
		}
		if d := app.State.Declared; d != nil && d.Release == app.State.Current {
			values["app-deploy-source"] = cmp.Or(d.Source, values["app-deploy-source"])
			values["app-deploy-source-metadata"] = cmp.Or(d.Metadata, values["app-deploy-source-metadata"])
		}
		global, gerr := globalApps(c)
		maps.Copy(values, global)
		return values, errors.Join(err, gerr)
	},
}

func runCreate(c *cli.Call) error {
	name := c.Args[0]
	if err := app.ValidName(name); err != nil {
		return err
	}
	_, err := c.Server.Env.Store.Load(name)
	var none *app.NoAppError
	switch {
	case err == nil:
		return cli.Refuse("Name is already taken: app %s exists", name)
	case !errors.As(err, &none):
		return err
	}
	c.Events().WithApp(name).Step("Creating %s...", name)
	return c.Server.Create(c.Ctx, name, false)
}

func runDestroy(c *cli.Call) error {
	name := c.App.Name
	if !c.Force && !c.Flag("force") {
		if err := c.Confirm(name, "app "+name+", with its containers, images, settings and repository"); err != nil {
			return err
		}
	}
	log := c.Events().WithApp(name)
	log.Step("Destroying %s (including all add-ons)", name)
	if err := c.Server.Destroy(c.Ctx, name, log); err != nil {
		return err
	}
	for _, resource := range kept(c.App) {
		log.Detail("Kept: %s", resource)
	}
	return nil
}

func runList(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "stdout", "json"); err != nil {
		return err
	}
	if format == "json" {
		apps, err := c.Server.Env.Store.Apps()
		if err != nil {
			return err
		}
		return c.PrintJSON(append([]string{}, apps...)) // never null
	}
	apps, err := c.Apps()
	if err != nil {
		return err
	}
	if c.Headings() {
		c.Heading("My Apps")
	}
	for _, app := range apps {
		c.Print("%s\n", app)
	}
	return nil
}

// kept lists the resources that apps:destroy keeps: the app's volumes and folders, and
// shared networks.
func kept(app *app.App) []string {
	mounts, networks := slices.Clone(app.State.Mounts), []string(nil)
	if app.Deployed() {
		mounts, networks = append(mounts, app.Current.Mounts...), app.Current.Networks
	}
	var list []string
	for _, m := range mounts {
		kind := "folder "
		if m.Volume() {
			kind = "volume "
		}
		if !slices.Contains(list, kind+m.Source) {
			list = append(list, kind+m.Source)
		}
	}
	for _, n := range networks {
		list = append(list, "network "+n)
	}
	return list
}
