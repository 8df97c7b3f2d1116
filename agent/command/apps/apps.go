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
	"dokku/agent/keys"
)

// Commands are the commands of this package.
var Commands = slices.Concat(appCommands, gitCommands, cleanupCommands, importCommands)

var appCommands = []cli.Spec{
	{
		Use: "apps:clone APP NEW-NAME", Role: cli.Operator, Others: newName, Short: "Make another app with the code and the settings of the app",
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
		Use: "apps:create APP", Role: cli.Operator, Short: "Create an app; a first push does so too",
		NewApp: true, Run: runCreate,
	},
	{
		Use: "apps:destroy APP", Role: cli.Operator, Short: "Remove an app and all it has",
		Long: "It asks you to type the app's name, unless --force is given.",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("force", false, "do not ask for confirmation")
		},
		Run: runDestroy,
	},
	{
		Use: "apps:exists APP", Role: cli.Deployer, Short: "Exit with 0 if the app exists, else with 20",
		Run: func(*cli.Call) error { return nil },
	},
	{Use: "apps:list", Role: cli.Anybody, Scoped: true, Short: "List all apps", Flags: cli.FormatFlag, Run: runList,
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")}},
	{
		Use: "apps:lock APP", Role: cli.Operator, Short: "Refuse deploys of the app",
		Long: "Pushes and ps:rebuild are refused; all other commands work. It waits for a running deploy.",
		Run:  func(c *cli.Call) error { return setLocked(c, true) },
	},
	{
		Use: "apps:locked APP", Role: cli.Deployer, Short: "Exit with 0 if deploys of the app are refused, else with 1",
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
		Use: "apps:rename APP NEW-NAME", Role: cli.Operator, Others: newName, Short: "Give the app and all it has another name",
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
		Use: "apps:unlock APP", Role: cli.Operator, Short: "Allow deploys of the app again",
		Run: func(c *cli.Call) error {
			if !c.App.State.Locked {
				return cli.Refuse("Unable to remove deploy lock: there is none")
			}
			return setLocked(c, false)
		},
	},
}

// newName returns the app that a command makes.
func newName(words []string) []string { return words[:min(len(words), 1)] }

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
	err := c.Server.Rename(c.Ctx, c.App.Name, name, c.Flag("skip-deploy"), log)
	// Also after an error that the rename outlives. Of a command that is killed in between, the keys
	// stay with the old name, which nobody has.
	if _, lost := c.Server.Env.Store.Load(c.App.Name); errors.As(lost, new(*app.NoAppError)) {
		if _, made := c.Server.Env.Store.Load(name); made == nil {
			err = errors.Join(err, keys.RenameApp(c.Env.Root, c.App.Name, name))
		}
	}
	return err
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
	Noun: "apps", Role: cli.Deployer, About: "app",
	Own: []string{noAutoCreate},
	Keys: []string{"app-computed-disk-quota", "app-created-at", "app-deploy-source", "app-deploy-source-metadata", "app-dir", "app-disk-quota", "app-disk-use",
		"app-global-disable-autocreation", "app-global-disk-quota", "app-locked"},
	Aside:  []string{ownQuota, globalQuota, computedQuota, diskUse},
	Global: globalApps,
	Collect: func(c *cli.Call, app *app.App, only string) (map[string]string, error) {
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
		values[ownQuota] = app.State.Apps[quota]
		values[computedQuota] = cmp.Or(values[ownQuota], values[globalQuota], noQuota)
		if only == diskUse { // it takes a while
			used, uerr := c.Server.DiskUse(c.Ctx, app.Name)
			values[diskUse], err = used.String(), errors.Join(err, uerr)
		}
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
	if err := keys.RenameApp(c.Env.Root, name, ""); err != nil {
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
		apps = slices.DeleteFunc(apps, func(app string) bool { return !c.MayUse(app) })
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
