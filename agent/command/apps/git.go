package apps

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/remote"
	"dokku/agent/repo"
	"dokku/agent/sources"
)

const sourceImage = "source-image"

// imageKind is the kind of a release that an image was deployed as.
const imageKind = app.SourceImage

var gitCommands = []cli.Spec{
	{
		Use: "git:initialize APP", Role: cli.Operator, Short: "Restore the hooks and settings of the app's repository",
		Long: "apps:create and the first push make the repository. Its objects and branches stay as they are.",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			log.Step("Initializing git repository for %s", c.App.Name)
			return c.Server.InitRepository(c.Ctx, c.App.Name, log)
		},
	},
	{
		Use: "git:unlock APP", Role: cli.Operator, Short: "Remove what a killed git left in the app's repository",
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
	gitSet(),
}

var gitProperties = cli.Properties{
	Noun: "git", Role: cli.Operator,
	List: append([]cli.Property{
		{Name: "deploy-branch", Default: deploy.DefaultBranch, Check: checkBranch},
		{Name: "rev-env-var", Default: app.DefaultRevEnvVar, Check: checkRevVar},
		{Name: app.PropKeepGitDir, Default: "false", Note: "It takes effect with the next build (dokku ps:rebuild APP)",
			Check: func(value string) error { return cli.OneOf(app.PropKeepGitDir, value, "true", "false") }},
		{Name: sourceImage, OnlyApp: true, Check: anyText, Inert: "dokku git:from-image APP IMAGE deploys an image"},
		{Name: app.PropColour, Default: app.ColourAuto, Check: app.CheckColour},
		{Name: sources.PropMaxFiles, Default: strconv.Itoa(sources.DefaultMaxFiles), OnlyServer: true, Check: checkLimit(sources.PropMaxFiles)},
		{Name: sources.PropMaxSize, Default: strconv.Itoa(sources.DefaultMaxSize), OnlyServer: true, Check: checkLimit(sources.PropMaxSize)},
		{Name: remote.PropMaxSize, Default: strconv.Itoa(remote.DefaultMaxSize), OnlyServer: true, Check: checkLimit(remote.PropMaxSize)},
		{Name: sources.PropMaxPack, Default: strconv.FormatInt(sources.DefaultMaxPack, 10), OnlyServer: true, Check: checkLimit(sources.PropMaxPack)},
		{Name: repo.PropMemory, Default: strconv.Itoa(repo.DefaultMemory), OnlyServer: true, Check: checkMemory},
	}, gitBudgets()...),
	Get: func(st *app.State, name string) string {
		switch name {
		case app.PropColour:
			return st.PushColour
		case app.PropKeepGitDir:
			return st.KeepGitDir
		case "rev-env-var":
			return strings.TrimPrefix(st.RevEnvVar, app.NoRevEnvVar)
		case "deploy-branch":
			return st.DeployBranch
		case sourceImage:
			return declared(st).Image
		}
		return st.Git[name]
	},
	Put: func(st *app.State, name, value string) {
		switch name {
		case app.PropColour:
			st.PushColour = value
		case app.PropKeepGitDir:
			st.KeepGitDir = value
		case "rev-env-var":
			st.RevEnvVar = cmp.Or(value, app.NoRevEnvVar)
		case "deploy-branch":
			st.DeployBranch = value
		case sourceImage:
			declare(st, name, value)
		default:
			cli.Put(&st.Git, name, value)
		}
	},
	Server: func(set *app.Settings) *map[string]string {
		return &set.Git
	},
}

// gitBudgets are the budgets of what a push may bring.
func gitBudgets() (list []cli.Property) {
	for _, b := range app.GitBudgets {
		list = append(list, cli.Property{Name: b.Name, Default: strconv.FormatInt(b.Default, 10), Admin: true, Check: func(value string) error {
			if err := b.Check(value); err != nil {
				return cli.Refuse("Invalid %s specified: %q: %s", b.Name, event.OneLine(value), err)
			}
			return nil
		}})
	}
	return list
}

// gitSet also says what an app without rev-env-var is without: Dokku's default comes back
// by its name only.
func gitSet() cli.Spec {
	s := gitProperties.Spec("Set or unset the deploy branch, the variable that holds the revision, the colours of pushes, or their limits")
	set := s.Run
	s.Run = func(c *cli.Call) error {
		err := set(c)
		if err == nil && c.App != nil && c.Args[0] == "rev-env-var" && strings.Join(c.Args[1:], "") == "" {
			c.Events().WithApp(c.App.Name).Detail("No variable holds the revision from the next deploy on; git:set %s rev-env-var %s brings it back", c.App.Name, app.DefaultRevEnvVar)
		}
		return err
	}
	return s
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

func checkMemory(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < repo.LeastMemory {
		return cli.Refuse("Invalid %s specified: %q: it has to be a number of bytes, at least %d", repo.PropMemory, event.OneLine(value), repo.LeastMemory)
	}
	return nil
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
	Noun:   "git",
	Filled: map[string]string{"git-keep-git-dir": "false"},
	Keys:   cli.Sorted(append(gitProperties.Keys(), "git-last-updated-at", "git-sha")),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return gitProperties.Global(set), err
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		values := map[string]string{"git-last-updated-at": "", "git-sha": ""}
		gitProperties.Report(values, &a.State, v.Settings)
		pushed, _, err := deploy.Pushed(v)
		if err != nil {
			return nil, err
		}
		if pushed != "" { // with skip-deploy, a push makes no branch the deploy branch
			values["git-computed-deploy-branch"] = pushed
		}
		if a.State.RevEnvVar == app.NoRevEnvVar {
			values["git-computed-rev-env-var"] = ""
		}
		values["git-rev-env-var"] = values["git-computed-rev-env-var"] // as Dokku does
		if a.Deployed() {
			values["git-sha"] = a.Current.Revision
			values["git-last-updated-at"] = fmt.Sprint(a.Current.Created.Unix())
			if from := a.Current.Source; from != nil && from.Kind == imageKind && values["git-source-image"] == "" {
				values["git-source-image"] = from.From
			}
		}
		return values, nil
	},
}
