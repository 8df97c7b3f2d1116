package builders

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
)

// The commands buildpacks:*, with the messages of Dokku's plugin buildpacks.
var (
	buildpacksAdd = cli.Spec{
		Use: "buildpacks:add APP [BUILDPACK]", Role: cli.Operator, Short: "Add a buildpack to the app's", Flags: indexFlag,
		Long:    "The buildpacks take effect at the next push. --index is the place in the list, from 1; without it, the buildpack becomes the last one.",
		Example: "dokku buildpacks:add hello heroku/nodejs",
		Run: func(c *cli.Call) error {
			return changeBuildpacks(c, "buildpacks:add", func(list, given []string, index int) ([]string, error) {
				if index == 0 || index > len(list) {
					return append(list, given[0]), nil
				}
				return slices.Insert(list, max(index-1, 0), given[0]), nil
			})
		},
	}
	buildpacksClear = cli.Spec{
		Use: "buildpacks:clear APP", Role: cli.Operator, Short: "Remove all buildpacks of the app: those that fit it are found again",
		Run: func(c *cli.Call) error {
			return storeBuildpacks(c, "buildpacks:clear", func([]string) ([]string, error) { return nil, nil })
		},
	}
	buildpacksList = cli.Spec{
		Use: "buildpacks:list APP", Role: cli.Operator, Short: "List the app's buildpacks",
		Run: func(c *cli.Call) error {
			if !c.Quiet {
				c.Print("-----> %s buildpack urls\n", c.App.Name)
			}
			for _, b := range c.App.State.Buildpacks {
				c.Print("       %s\n", b)
			}
			return nil
		},
	}
	buildpacksRemove = cli.Spec{
		Use: "buildpacks:remove APP [BUILDPACK]", Role: cli.Operator, Short: "Remove a buildpack of the app", Flags: indexFlag,
		Words: func(c *cli.Call) []string { return c.App.State.Buildpacks },
		Run:   removeBuildpack,
	}
	buildpacksSet = cli.Spec{
		Use: "buildpacks:set APP [BUILDPACK...]", Role: cli.Operator, Short: "Replace one buildpack of the app's, or all of them", Run: setBuildpacks,
		Long: "--index is the place in the list, from 1, and the first one by default. --replace sets the whole list.",
		Flags: func(f *pflag.FlagSet) {
			indexFlag(f)
			f.Bool("replace", false, "replace the whole list")
		},
	}
	buildpackProperties = properties("buildpacks", app.PropStack)
	// The noun has a command buildpacks:set of its own.
	buildpacksSetProperty = func() cli.Spec {
		s := buildpackProperties.Spec("Set or unset the image that builds with buildpacks")
		s.Use = strings.Replace(s.Use, ":set ", ":set-property ", 1)
		s.Long = strings.Replace(s.Long, ":set ", ":set-property ", 1)
		return s
	}()
	buildpackReport = func() cli.Reporter {
		rep := buildpackProperties.Reporter()
		own := rep.Collect
		rep.Keys = cli.Sorted(append(rep.Keys, "buildpacks-list"))
		rep.Collect = func(c *cli.Call, a *app.App, only string) (map[string]string, error) {
			values, err := own(c, a, only)
			if err == nil {
				values["buildpacks-list"] = strings.Join(a.State.Buildpacks, ",")
			}
			return values, err
		}
		return rep
	}()
)

func indexFlag(f *pflag.FlagSet) { f.String("index", "0", "the place in the list, from 1") }

// index reads --index.
func index(c *cli.Call) (int, error) {
	n, err := strconv.Atoi(c.Value("index"))
	if err != nil || n < 0 {
		return 0, c.UsageError("Invalid --index %q: it is the place in the list, from 1", c.Value("index"))
	}
	return n, nil
}

// changeBuildpacks stores a change of the list by the buildpack of the command line.
func changeBuildpacks(c *cli.Call, name string, change func(list, given []string, index int) ([]string, error)) error {
	at, err := index(c)
	if err != nil {
		return err
	}
	given := c.Args
	if len(given) == 0 {
		given = []string{""}
	}
	for n, text := range given {
		if given[n], err = app.Buildpack(text); err != nil {
			return err
		}
	}
	return storeBuildpacks(c, name, func(list []string) ([]string, error) { return change(list, given, at) })
}

// storeBuildpacks stores a change of the list.
func storeBuildpacks(c *cli.Call, name string, change func([]string) ([]string, error)) error {
	return c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: name}, c.Events().WithApp(c.App.Name), func(st *app.State) error {
		list, err := change(st.Buildpacks)
		if err == nil {
			st.Buildpacks = list
		}
		return err
	})
}

func removeBuildpack(c *cli.Call) error {
	at, err := index(c)
	if err != nil {
		return err
	}
	text := strings.Join(c.Args, " ")
	switch {
	case at != 0 && text != "":
		return cli.Refuse("Please choose either index or Buildpack, but not both")
	case at == 0 && text == "":
		return cli.Refuse("Must specify a buildpack to remove, either by index or URL")
	case at == 0:
		if text, err = app.Buildpack(text); err != nil {
			return err
		}
	}
	log := c.Events().WithApp(c.App.Name)
	return c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "buildpacks:remove"}, log, func(st *app.State) error {
		switch {
		case len(st.Buildpacks) == 0:
			return cli.Refuse("No buildpacks were found, next release on %s will detect buildpack normally", c.App.Name)
		case at > len(st.Buildpacks):
			return cli.Refuse("Index not found")
		case at != 0:
			text = st.Buildpacks[at-1]
		case !slices.Contains(st.Buildpacks, text):
			return cli.Refuse("Value not found")
		}
		log.Step("Removing %s", text)
		st.Buildpacks = slices.DeleteFunc(slices.Clone(st.Buildpacks), func(b string) bool { return b == text })
		return nil
	})
}

func setBuildpacks(c *cli.Call) error {
	replace := c.Flag("replace")
	switch {
	case replace && c.Changed("index") && c.Value("index") != "0":
		return cli.Refuse("The --index flag cannot be used with --replace")
	case replace && len(c.Args) == 0:
		return cli.Refuse("Must specify at least one buildpack, use buildpacks:clear to remove all buildpacks")
	case !replace && len(c.Args) > 1:
		return cli.Refuse("Setting multiple buildpacks requires the --replace flag")
	case len(c.Args) == 0:
		return cli.Refuse("Must specify a buildpack")
	}
	return changeBuildpacks(c, "buildpacks:set", func(list, given []string, index int) ([]string, error) {
		if replace {
			return given, nil
		}
		if index = max(index-1, 0); index >= len(list) {
			return append(list, given[0]), nil
		}
		list = slices.Clone(list)
		list[index] = given[0]
		return list, nil
	})
}
