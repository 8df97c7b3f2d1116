package apps

import (
	"fmt"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/remote"
	"dokku/agent/sources"
)

// imageKind is the kind of a release that an image was deployed as.
const imageKind = app.SourceImage

var gitCommands = []cli.Spec{
	{
		Use: "git:initialize APP", Short: "Restore the hooks and settings of the app's repository",
		Long: "apps:create and the first push make the repository. Its objects and branches stay as they are.",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			log.Step("Initializing git repository for %s", c.App.Name)
			return c.Server.InitRepository(c.Ctx, c.App.Name, log)
		},
	},
	{
		Use: "git:unlock APP", Short: "Remove what a killed git left in the app's repository",
		Long:  "Pushes and the agent do so by themselves. It removes nothing while a push is under way, so it never asks.",
		Flags: func(f *pflag.FlagSet) { f.Bool("force", false, "as without: it never asks") },
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			removed, err := c.Server.UnlockRepository(c.Ctx, c.App.Name, log)
			switch {
			case err != nil:
				return err
			case len(removed) == 0:
				log.Step("The repository of %s is not locked", c.App.Name)
			default:
				log.Step("Unlocked the repository of %s", c.App.Name)
			}
			for _, path := range removed {
				log.Detail("Removed %s", path)
			}
			return nil
		},
	},
	gitReport.Spec("Show the app's git settings"),
	gitProperties.Spec("Set or unset the deploy branch, the variable that holds the revision, or the colours of pushes"),
}

var gitProperties = cli.Properties{
	Noun: "git",
	List: []cli.Property{
		{Name: "deploy-branch", Check: checkBranch},
		{Name: "rev-env-var", Default: app.DefaultRevEnvVar, Check: checkRevVar},
		{Name: app.PropColour, Default: app.ColourAuto, Check: app.CheckColour},
		{Name: sources.PropMaxFiles, Default: strconv.Itoa(sources.DefaultMaxFiles), OnlyServer: true, Check: checkLimit(sources.PropMaxFiles)},
		{Name: sources.PropMaxSize, Default: strconv.Itoa(sources.DefaultMaxSize), OnlyServer: true, Check: checkLimit(sources.PropMaxSize)},
		{Name: remote.PropMaxSize, Default: strconv.Itoa(remote.DefaultMaxSize), OnlyServer: true, Check: checkLimit(remote.PropMaxSize)},
		{Name: sources.PropMaxPack, Default: strconv.FormatInt(sources.DefaultMaxPack, 10), OnlyServer: true, Check: checkLimit(sources.PropMaxPack)},
	},
	Get: func(st *app.State, name string) string {
		switch name {
		case app.PropColour:
			return st.PushColour
		case "rev-env-var":
			return st.RevEnvVar
		case "deploy-branch":
			return st.DeployBranch
		}
		return ""
	},
	Put: func(st *app.State, name, value string) {
		switch name {
		case app.PropColour:
			st.PushColour = value
		case "rev-env-var":
			st.RevEnvVar = value
		default:
			st.DeployBranch = value
		}
	},
	Server: func(set *app.Settings) *map[string]string {
		return &set.Git
	},
}

// checkLimit returns the check of a limit of what is taken in.
func checkLimit(name string) func(string) error {
	return func(value string) error {
		if err := app.CheckLimit(value); err != nil {
			return cli.Refuse("Invalid %s specified: %q: %s", name, event.OneLine(value), err)
		}
		return nil
	}
}

// checkRevVar returns an error for an invalid name and for a variable that dokku sets itself.
func checkRevVar(name string) error {
	if name == "PORT" || name == "DYNO" {
		return cli.Refuse("Invalid rev-env-var specified: dokku sets %s itself for each process", name)
	}
	return cli.CheckKey(name)
}

// checkBranch returns an error unless git allows the name for a branch, without refs/heads/.
func checkBranch(name string) error {
	ref := plumbing.NewBranchReferenceName(name)
	if name[0] == '-' || name == "HEAD" || ref.Validate() != nil {
		return cli.Refuse("Invalid deploy-branch specified: %q is not the name of a branch", event.OneLine(name))
	}
	return nil
}

var gitReport = cli.Reporter{
	Noun: "git",
	Keys: cli.Sorted(append(gitProperties.Keys(), "git-keep-git-dir", "git-last-updated-at", "git-sha", "git-source-image")),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return gitProperties.Global(set), err
	},
	Collect: func(c *cli.Call, app *app.App, _ string) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		values := map[string]string{
			"git-keep-git-dir":    "false",
			"git-last-updated-at": "", "git-sha": "", "git-source-image": "",
		}
		gitProperties.Report(values, &app.State, set)
		values["git-rev-env-var"] = values["git-computed-rev-env-var"] // as Dokku does
		if app.Deployed() {
			values["git-sha"] = app.Current.Revision
			values["git-last-updated-at"] = fmt.Sprint(app.Current.Created.Unix())
			if from := app.Current.Source; from != nil && from.Kind == imageKind {
				values["git-source-image"] = from.From
			}
		}
		return values, nil
	},
}
