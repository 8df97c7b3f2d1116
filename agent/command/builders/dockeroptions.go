package builders

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/build/options"
)

// phaseBuild is the only phase of docker-options that has options yet.
const phaseBuild = "build"

var phases = []string{phaseBuild, "deploy", "run"}

var optionCommands = []cli.Spec{
	{
		Use: "docker-options:add APP PHASE OPTION...", Short: "Add options of docker build to the app's builds",
		Long: "PHASE is build. The options are --add-host, --build-arg, --label, --no-cache, --platform, --secret and\n" +
			"--target. --build-arg NAME and --secret id=NAME take their values from the app's config.",
		Example: "dokku docker-options:add hello build '--build-arg NODE_ENV=production --secret id=NPM_TOKEN'",
		Missing: "Please specify docker options to add to the phase",
		Flags:   wordsAfterApp, Words: phaseWords, Run: withOptions("add", addOptions),
	},
	{
		Use: "docker-options:clear APP [PHASE]", Short: "Remove all options from the app's builds",
		Words: phaseWords, Run: clearOptions,
	},
	{
		Use: "docker-options:list APP", Short: "List the options of a phase, one on a line",
		Example: "dokku docker-options:list hello --phase build",
		Flags:   func(f *pflag.FlagSet) { f.String("phase", "", "build, deploy or run") },
		Values:  map[string]func(*cli.Call) []string{"phase": cli.OneOfWords(phases...)},
		Run:     listOptions,
	},
	{
		Use: "docker-options:remove APP PHASE OPTION...", Short: "Remove options of docker build from the app's builds",
		Missing: "Please specify docker options to remove from the phase",
		Flags:   wordsAfterApp, Words: phaseWords, Run: withOptions("remove", removeOptions),
	},
	optionsReport.Spec("Show the options of the app's builds"),
}

// wordsAfterApp makes all words after the app arguments, those that begin with a dash too.
func wordsAfterApp(f *pflag.FlagSet) { f.SetInterspersed(false) }

func phaseWords(c *cli.Call) []string {
	if len(c.Args) > 0 {
		return nil
	}
	return phases
}

// checkPhases reads a list of phases, separated by commas.
func checkPhases(text string) ([]string, error) {
	list := strings.Split(text, ",")
	for _, phase := range list {
		if !slices.Contains(phases, phase) {
			return nil, cli.Refuse("Phase(s) must be one of [%s]", strings.Join(phases, " "))
		}
	}
	return list, nil
}

// withOptions returns the Run of a command whose words are phases and options.
func withOptions(verb string, run func(*cli.Call, []options.Option) error) func(*cli.Call) error {
	return func(c *cli.Call) error {
		list, err := checkPhases(c.Args[0])
		if err != nil {
			return err
		}
		for _, phase := range list {
			if phase != phaseBuild {
				return cli.Refuse("%s", options.ForProcesses(phase, c.App.Name, c.Args[1:]))
			}
		}
		parsed, err := options.Parse(c.Args[1:])
		if err != nil {
			return cli.Refuse("Invalid docker option: %s", err)
		}
		if len(parsed) == 0 {
			return cli.Refuse("Please specify docker options to %s the phase", map[string]string{"add": "add to", "remove": "remove from"}[verb])
		}
		return run(c, parsed)
	}
}

func addOptions(c *cli.Call, more []options.Option) error {
	return changeOptions(c, "docker-options:add", func(lines []string) ([]string, error) {
		lines, err := options.Add(lines, more)
		if err != nil {
			return nil, cli.Refuse("Invalid docker option: %s", err)
		}
		return lines, nil
	})
}

// removeOptions succeeds if an option is not there, as in Dokku: scripts rely on it.
func removeOptions(c *cli.Call, less []options.Option) error {
	_, missing := options.Remove(c.App.State.BuildOptions, less)
	for _, o := range missing {
		c.Warn("%s is not an option of the builds of %s", event.OneLine(o.String()), c.App.Name)
	}
	return changeOptions(c, "docker-options:remove", func(lines []string) ([]string, error) {
		rest, _ := options.Remove(lines, less)
		return rest, nil
	})
}

func clearOptions(c *cli.Call) error {
	on := "all phases"
	list := phases
	if len(c.Args) > 0 && c.Args[0] != "" {
		var err error
		if list, err = checkPhases(c.Args[0]); err != nil {
			return err
		}
		on = ""
	}
	log := c.Events().WithApp(c.App.Name)
	if on != "" {
		log.Step("Clearing docker-options for %s on %s", c.App.Name, on)
	} else {
		for _, phase := range list {
			log.Step("Clearing docker-options for %s on phase %s", c.App.Name, phase)
		}
	}
	if !slices.Contains(list, phaseBuild) {
		return nil
	}
	return changeOptions(c, "docker-options:clear", func([]string) ([]string, error) { return nil, nil })
}

// changeOptions changes the stored lines. Nothing uses them before the next build.
func changeOptions(c *cli.Call, op string, change func(lines []string) ([]string, error)) error {
	log := c.Events().WithApp(c.App.Name)
	err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op}, log, func(st *app.State) (err error) {
		st.BuildOptions, err = change(st.BuildOptions)
		return err
	})
	if err == nil && c.App.Deployed() {
		log.Detail("It takes effect with the next push or rebuild (dokku ps:rebuild %s)", c.App.Name)
	}
	return err
}

func listOptions(c *cli.Call) error {
	phase := c.Value("phase")
	if phase == "" {
		return cli.Refuse("--phase is required")
	}
	if !slices.Contains(phases, phase) {
		return cli.Refuse("Phase must be one of [%s]", strings.Join(phases, " "))
	}
	if phase == phaseBuild {
		for _, line := range c.App.State.BuildOptions {
			c.Print("%s\n", cli.VisibleValue(line))
		}
	}
	return nil
}

var optionsReport = cli.Reporter{
	Noun: "docker-options", About: "docker options",
	Keys: []string{"docker-options-build", "docker-options-deploy", "docker-options-run"},
	Collect: func(_ *cli.Call, a *app.App, _ string) (map[string]string, error) {
		return map[string]string{"docker-options-build": strings.Join(a.State.BuildOptions, " "), "docker-options-deploy": "", "docker-options-run": ""}, nil
	},
}
