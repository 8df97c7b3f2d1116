package validate

import (
	"cmp"
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/inspect"
	"dokku/agent/store"
	"dokku/build"
)

// Commands are the commands of this package.
var Commands = []cli.Spec{{
	Use: "validate [DIR]", Role: cli.Admin, Short: "Check the files of a folder as a push would, without a server",
	Long: "It reads the files that decide how an app is built and run: Procfile, DOKKU_SCALE, CHECKS, app.json, Dockerfile,\n" +
		".buildpacks, project.toml and what git makes of the folder. DIR is the present folder, or a folder of the repository\n" +
		"that builder:set build-dir names. It needs git, but neither Docker nor a server, and changes nothing.\n" +
		"The problems are those that a push prints. With an error it exits with 1. The other flags are the app's settings.",
	Example: "dokku validate --format json",
	Flags: func(f *pflag.FlagSet) {
		cli.FormatFlag(f)
		f.String("commit", "", "read a commit of the repository instead of the files: HEAD, or another revision")
		f.String("builder", "", "the builder that builder:set selects")
		for _, p := range paths {
			f.String(p.name, "", "the path of "+p.file)
		}
	},
	Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json"), "builder": cli.OneOfWords(build.Names...)},
	// Its files are the user's own.
	Rootless: true,
	Run:      run,
}}

// paths are the properties that say where files lie.
var paths = []struct{ name, file string }{
	{app.PropAppJSON, "app.json"}, {app.PropDockerfile, "the Dockerfile"}, {app.PropProcfilePath, "the Procfile"}, {app.PropProjectTOML, "project.toml"},
}

func run(c *cli.Call) error {
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	if name := c.Value("builder"); name != "" {
		if err := cli.OneOf("--builder", name, build.Names...); err != nil {
			return err
		}
	}
	for _, p := range paths {
		if value := c.Value(p.name); value != "" {
			if err := app.CheckPath(p.name, value); err != nil {
				return err
			}
		}
	}
	if c.Env.User != "" {
		return cli.Refuse("Cannot validate over ssh, since it would read a folder of the server: run it where the files are, or git push -o plan")
	}
	dir := c.Env.Dir
	if len(c.Args) > 0 {
		if dir = c.Args[0]; !filepath.IsAbs(dir) {
			dir = filepath.Join(c.Env.Dir, dir)
		}
	}
	w, err := inspect.OpenWorkingTree(c.Ctx, filepath.Clean(dir), c.Value("commit"))
	if err != nil {
		return err
	}
	defer w.Close()
	set, err := settings(c.Env.Root)
	if err != nil {
		return err
	}
	r := &app.Release{Revision: w.Commit.Hash, BuildDir: w.Dir, Files: map[string]string{}}
	report, err := revision(c, w, set, r)
	if err != nil {
		return err
	}
	if c.Value("format") == "json" {
		return printJSON(c, r, report)
	}
	print(c, w, r, report)
	return report.Err()
}

// settings are the server's; its defaults where there is none, or the user may not read
// them.
func settings(root string) (app.Settings, error) {
	s := &store.Store{Root: root}
	set, err := s.Settings()
	if os.IsPermission(err) {
		set, err = (&store.Store{}).Settings()
	}
	return set, err
}

// revision has the files of a working tree inspected, for an app with the command line's
// settings.
func revision(c *cli.Call, w *inspect.WorkingTree, set app.Settings, r *app.Release) (*inspect.Report, error) {
	st := app.State{DomainsDisabled: true, Build: map[string]string{app.PropSelected: c.Value("builder"), app.PropBuildDir: w.Dir}, PS: map[string]string{}}
	for _, p := range paths {
		st.Build[p.name] = c.Value(p.name)
	}
	st.PS[app.PropProcfilePath] = c.Value(app.PropProcfilePath)
	v := app.View{App: &app.App{Name: "APP", State: st}, Settings: set}
	if err := v.CheckBuild(); err != nil {
		return nil, err
	}
	commit, err := w.Source.Folder(c.Ctx, w.Commit, w.Dir)
	if err != nil {
		return nil, err
	}
	return inspect.Revision(c.Ctx, inspect.Input{View: v, Source: w.Source, Commit: commit, Release: r,
		Request: func() (build.Request, error) {
			q, _, err := inspect.Request(v, w.Source, commit, r)
			return q, err
		},
		Choose: func(ctx context.Context, q build.Request) (build.Choice, []int, error) {
			return agent.ChooseByFiles(ctx, set, q)
		},
	})
}

// print prints what the files say, for people. The errors are the command's own.
func print(c *cli.Call, w *inspect.WorkingTree, r *app.Release, report *inspect.Report) {
	if c.Headings() {
		c.Heading("%s", cmp.Or(w.Dir, filepath.Base(c.Env.Dir)))
	}
	if report.Choice.Builder != "" {
		c.Print("       Builder: %s\n", report.Choice)
	}
	var types []string
	for _, e := range report.Formation {
		c.Print("       %s: %d (%s)\n", e.Type, e.Count, inspect.Origin(e))
		types = append(types, e.Type)
	}
	if report.Unscaled != nil {
		c.Print("       %s\n       %s\n", inspect.Unfound, report.Unscaled)
	}
	for _, line := range inspect.Describe(report.Checks, types) {
		c.Print("       Check of %s\n", line)
	}
	for _, line := range inspect.DescribeCron(r) {
		c.Print("       Cron task: %s\n", event.OneLine(line))
	}
	for _, v := range r.Control.AppJSON.Env {
		if v.Required && v.Value == "" && !v.Secret {
			c.Print("       Variable: %s has to be set before the first push: dokku config:set APP %[1]s=VALUE\n", v.Name)
		}
	}
	for _, text := range report.Warnings() {
		c.Warn("%s", text)
	}
	switch {
	case w.Bare:
		c.Warn("This folder is in no git repository: a push sends what is committed to one")
	case w.Uncommitted:
		c.Warn("Some of these files are not committed, and a push sends what is: git status lists them")
	}
	if report.Err() == nil {
		c.Print("-----> No errors found\n")
	}
}
