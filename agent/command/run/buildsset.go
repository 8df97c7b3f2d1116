package run

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var buildSetCommands = []cli.Spec{
	{
		Use: "builds:prune APP", Role: cli.Operator, Short: "Remove the records of the oldest deploys: those beyond the retention",
		Long: "Each deploy does so by itself. --all works on all apps.",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("all", false, "all apps")
			f.Bool("all-apps", false, "as --all")
		},
		Run: pruneBuilds,
	},
	buildsReport.Spec("Show the app's last deploy in Dokku's form, and how many are kept"),
	buildProperties.Spec("Set or unset how many deploys keep their log and their record, and how large a log becomes"),
}

var buildProperties = cli.Properties{
	Noun: "builds", Role: cli.Operator,
	List: []cli.Property{{Name: app.PropLogSize, Default: strconv.Itoa(event.DefaultFileLimit), Admin: true, Check: func(value string) error {
		if err := app.CheckLogSize(value); err != nil {
			return cli.Refuse("Invalid log-max-size specified: %s", err)
		}
		return nil
	}}, {Name: app.PropRetention, Default: strconv.Itoa(app.DefaultRetention), Check: func(value string) error {
		if err := app.CheckRetention(value); err != nil {
			return cli.Refuse("Invalid retention specified: %s", err)
		}
		return nil
	}}},
	Get:    func(st *app.State, name string) string { return st.Build[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Build, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Build },
}

var buildsReport = cli.Reporter{
	Noun: "builds",
	Keys: cli.Sorted(append(slices.Collect(maps.Keys(noBuild())), buildProperties.Keys()...)),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return buildProperties.Global(set), err
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		values, err := lastBuild(c, a.Name)
		if err == nil {
			buildProperties.Report(values, &a.State, set)
		}
		return values, err
	},
}

// noBuild has the values of an app without a deploy.
func noBuild() map[string]string {
	return map[string]string{"build-exit-code": "", "build-finished-at": "", "build-id": "", "build-kind": "",
		"build-pid": "", "build-source": "", "build-started-at": "", "build-status": ""}
}

func lastBuild(c *cli.Call, name string) (map[string]string, error) {
	values := noBuild()
	numbers := c.Server.Env.Store.DeployLogs(name)
	if len(numbers) == 0 {
		return values, nil
	}
	d, err := c.Server.Env.Deploy(name, numbers[len(numbers)-1])
	if err != nil {
		return nil, err
	}
	b := buildOf(c, name, d)
	values["build-id"], values["build-kind"], values["build-status"] = b.ID, b.Kind, b.Display
	values["build-pid"], values["build-source"] = strconv.Itoa(b.PID), b.Source
	values["build-started-at"] = b.Started.UTC().Format(time.RFC3339)
	if b.Finished != nil {
		values["build-finished-at"] = b.Finished.UTC().Format(time.RFC3339)
	}
	if b.ExitCode != nil {
		values["build-exit-code"] = strconv.Itoa(*b.ExitCode)
	}
	return values, nil
}

func pruneBuilds(c *cli.Call) error {
	names := []string{}
	if c.App != nil {
		names = append(names, c.App.Name)
	} else {
		var err error
		if names, err = c.Apps(); err != nil {
			return err
		}
	}
	var failed []string
	for _, name := range names {
		log := c.Events().WithApp(name)
		v, err := c.Server.View(name)
		if err != nil {
			log.Warn("%s", err)
			failed = append(failed, name)
			continue
		}
		removed := c.Server.Env.Store.PruneDeploys(name, v.KeptDeploys())
		log.Step("Removed %d builds of %s", removed, name)
	}
	if len(failed) > 0 {
		return cli.Refuse("Unable to prune %d of %d apps: %s", len(failed), len(names), strings.Join(failed, ", "))
	}
	return nil
}
