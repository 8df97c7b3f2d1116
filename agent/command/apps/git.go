package apps

import (
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var gitCommands = []cli.Spec{
	gitReport.Spec("Show the app's git settings"),
	gitProperties.Spec("Set or unset the deploy branch, the variable that holds the revision, or the colours of pushes"),
}

var gitProperties = cli.Properties{
	Noun: "git",
	List: []cli.Property{
		{Name: "deploy-branch", Check: checkBranch},
		{Name: "rev-env-var", Default: app.DefaultRevEnvVar, Check: checkRevVar},
		{Name: app.PropColour, Default: app.ColourAuto, Check: app.CheckColour},
	},
	Get: func(st *app.State, name string) string {
		switch name {
		case app.PropColour:
			return st.PushColour
		case "rev-env-var":
			return st.RevEnvVar
		}
		return st.DeployBranch
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
	Keys: cli.Sorted(append(gitProperties.Keys(), "git-keep-git-dir", "git-last-updated-at", "git-sha")),
	Collect: func(c *cli.Call, app *app.App, _ string) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		values := map[string]string{
			"git-keep-git-dir":    "false",
			"git-last-updated-at": "", "git-sha": "",
		}
		gitProperties.Report(values, &app.State, set)
		values["git-rev-env-var"] = values["git-computed-rev-env-var"] // as Dokku does
		if app.Deployed() {
			values["git-sha"] = app.Current.Revision
			values["git-last-updated-at"] = fmt.Sprint(app.Current.Created.Unix())
		}
		return values, nil
	},
}
