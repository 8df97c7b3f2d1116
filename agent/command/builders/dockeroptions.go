package builders

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/build/options"
	"dokku/scale"
)

var phases = []string{string(options.Build), string(options.Deploy), string(options.Run)}

const aboutProcess = "--process TYPE is for the phase deploy: the options are those of one process type, and replace what all types have."

var optionCommands = []cli.Spec{
	{
		Use: "docker-options:add APP PHASE OPTION...", Role: cli.Operator, Short: "Add docker options to the app's builds or containers",
		Long: "PHASE is build, deploy, run, or several of them: deploy,run. The options of the build are --add-host,\n" +
			"--build-arg, --label, --no-cache, --platform, --secret and --target; --build-arg NAME and --secret id=NAME\n" +
			"take their values from the app's config. The options of deploy, for the app's processes, and of run, for\n" +
			"one-off commands and cron tasks, are --add-host, --cap-add, --cap-drop, --device, --init, --label, --log-opt,\n" +
			"--mount, --read-only, --restart, --shm-size, --stop-signal, --tmpfs, --ulimit, --user and --volume.\n" + aboutProcess,
		Example: "dokku docker-options:add hello deploy,run '--ulimit nofile=4096 --shm-size 256m'",
		Missing: "Please specify docker options to add to the phase",
		Flags:   wordsAfterApp, Values: processValues, Words: phaseWords, Run: withOptions("add", addOptions),
	},
	{
		Use: "docker-options:clear APP [PHASE]", Role: cli.Operator, Short: "Remove all docker options from the app",
		Long:  aboutProcess + "\nWithout it, those of process types stay.",
		Flags: processFlag, Values: processValues, Words: phaseWords, Run: clearOptions,
	},
	{
		Use: "docker-options:list APP", Role: cli.Operator, Short: "List the options of a phase, one on a line",
		Example: "dokku docker-options:list hello --phase build",
		Flags: func(f *pflag.FlagSet) {
			f.String("phase", "", "build, deploy or run")
			f.String("process", "", "list the options of this process type")
		},
		Values: map[string]func(*cli.Call) []string{"phase": cli.OneOfWords(phases...), "process": (*cli.Call).Types},
		Run:    listOptions,
	},
	{
		Use: "docker-options:remove APP PHASE OPTION...", Role: cli.Operator, Short: "Remove docker options from the app's builds or containers",
		Long:    aboutProcess,
		Missing: "Please specify docker options to remove from the phase",
		Flags:   wordsAfterApp, Values: processValues, Words: phaseWords, Run: withOptions("remove", removeOptions),
	},
	optionsReport.Spec("Show the docker options of the app's builds and containers"),
	optionProperties.Spec("Set or unset which rights over the server options may give"),
}

func processFlag(f *pflag.FlagSet) {
	f.StringArray("process", nil, "only for this process type; may be repeated")
}

var processValues = map[string]func(*cli.Call) []string{"process": (*cli.Call).Types}

// wordsAfterApp makes all words after the app arguments, those that begin with a dash too.
func wordsAfterApp(f *pflag.FlagSet) {
	processFlag(f)
	f.SetInterspersed(false)
}

func phaseWords(c *cli.Call) []string {
	if len(c.Args) > 0 {
		return nil
	}
	return phases
}

// A scope is a phase, and of the phase deploy perhaps a process type.
type scope struct {
	phase options.Phase
	typ   string // "": all of them
}

// of returns the lines of the scope.
func (s scope) of(st *app.State) []string {
	if s.phase == options.Build {
		return st.BuildOptions
	}
	return st.DockerOptions[app.OptionsKey(s.phase, s.typ)]
}

func (s scope) put(st *app.State, lines []string) {
	if s.phase == options.Build {
		st.BuildOptions = lines
		return
	}
	// Without lines, the key goes: an app without options is stored as one that never had any.
	st.DockerOptions = maps.Clone(st.DockerOptions)
	if key := app.OptionsKey(s.phase, s.typ); len(lines) == 0 {
		delete(st.DockerOptions, key)
	} else {
		if st.DockerOptions == nil {
			st.DockerOptions = map[string][]string{}
		}
		st.DockerOptions[key] = lines
	}
}

// whose names the builds or containers of the scope.
func (s scope) whose() string {
	switch {
	case s.phase == options.Build:
		return "builds"
	case s.typ != "":
		return "processes " + s.typ
	case s.phase == options.Deploy:
		return "processes"
	}
	return "one-off commands"
}

// scopes reads a list of phases, separated by commas, and process types.
func scopes(text string, types []string) (list []scope, err error) {
	for phase := range strings.SplitSeq(text, ",") {
		if !slices.Contains(phases, phase) {
			return nil, cli.Refuse("Phase(s) must be one of [%s]", strings.Join(phases, " "))
		}
		if len(types) == 0 {
			list = append(list, scope{phase: options.Phase(phase)})
		}
		for _, typ := range types {
			if err := checkProcess(typ, phase); err != nil {
				return nil, err
			}
			list = append(list, scope{options.Phase(phase), typ})
		}
	}
	return list, nil
}

func checkProcess(typ, phase string) error {
	switch {
	case typ == "":
		return cli.Refuse("--process value must not be empty")
	case typ == app.DefaultType:
		return cli.Refuse("%q is reserved and cannot be used as a --process value", typ)
	case !scale.ValidType(typ):
		return cli.Refuse("Invalid process type %q: it needs letters, digits, _ and -", event.OneLine(typ))
	case phase != string(options.Deploy):
		return cli.Refuse("--process is only supported for the deploy phase, got %q", phase)
	}
	return nil
}

// processWords returns the process types of --process, which may stand among the words
// after the phase too, and the other words.
func processWords(c *cli.Call) (types, rest []string, err error) {
	types = c.List("process")
	for args := c.Args[1:]; len(args) > 0; args = args[1:] {
		value, joined := strings.CutPrefix(args[0], "--process=")
		switch {
		case joined:
			types = append(types, value)
		case args[0] == "--process" && len(args) == 1:
			return nil, nil, cli.Refuse("--process needs a value, such as web")
		case args[0] == "--process":
			types, args = append(types, args[1]), args[1:]
		default:
			rest = append(rest, args[0])
		}
	}
	return commas(types), rest, nil
}

// commas splits the values of a flag at commas, as Dokku does.
func commas(values []string) (list []string) {
	for _, value := range values {
		list = append(list, strings.Split(value, ",")...)
	}
	return list
}

// withOptions returns the Run of a command whose words are phases and options.
func withOptions(verb string, run func(c *cli.Call, list []scope, parsed map[options.Phase][]options.Option) error) func(*cli.Call) error {
	return func(c *cli.Call) error {
		types, words, err := processWords(c)
		if err != nil {
			return err
		}
		list, err := scopes(c.Args[0], types)
		if err != nil {
			return err
		}
		parsed := map[options.Phase][]options.Option{}
		for _, s := range list {
			if parsed[s.phase], err = s.phase.Parse(words); err != nil {
				return cli.Refuse("Invalid docker option: %s", err)
			}
			if len(parsed[s.phase]) == 0 {
				return cli.Refuse("Please specify docker options to %s the phase", map[string]string{"add": "add to", "remove": "remove from"}[verb])
			}
		}
		return run(c, list, parsed)
	}
}

// hostOptions reach beyond the app: to folders and volumes of others, and to rights that the
// server's settings give.
var hostOptions = []string{"--mount", "--volume", "-v", "--device", "--cap-add"}

// boundedOptions refuses an operator more memory and logs than the server gives a container by itself.
func boundedOptions(c *cli.Call, set app.Settings, more map[options.Phase][]options.Option) error {
	if c.Admin() {
		return nil
	}
	for phase, list := range more {
		if phase == options.Build {
			continue // it has none of them
		}
		for _, o := range list {
			asks, err := phase.Containers(nil, []string{o.String()})
			if err == nil {
				err = app.View{App: c.App, Settings: set}.CheckMaxOptions(asks)
			}
			if err != nil {
				return cli.Refuse("Invalid docker option: %w", err)
			}
		}
	}
	return nil
}

func addOptions(c *cli.Call, list []scope, more map[options.Phase][]options.Option) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	for _, phase := range more {
		for _, o := range phase {
			if slices.Contains(hostOptions, o.Name) {
				if err := c.NeedsAdmin("the docker option " + o.Name); err != nil {
					return err
				}
			}
		}
	}
	if err := boundedOptions(c, set, more); err != nil {
		return err
	}
	for _, s := range list {
		if s.typ != "" && c.App.Deployed() && !slices.Contains(c.Types(), s.typ) {
			c.Warn("Process type %q is not declared in the Procfile for %s", s.typ, c.App.Name)
		}
	}
	var missing error
	err = changeOptions(c, "docker-options:add", list, func(st *app.State) error {
		for _, s := range list {
			lines, err := s.phase.Add(s.of(st), more[s.phase])
			if err != nil {
				return cli.Refuse("Invalid docker option: %s", err)
			}
			s.put(st, lines)
		}
		changed := app.View{App: &app.App{Name: c.App.Name, State: *st}, Settings: set}
		err := changed.CheckContainers(changed.ContainerOptions())
		if errors.Is(err, fs.ErrNotExist) { // it may come before the next deploy, which needs it
			missing, err = err, nil
		}
		if err != nil {
			return cli.Refuse("Invalid docker option: %s", err)
		}
		if c.Env.User == "" {
			return nil
		}
		// An app without isolation keeps such mounts, and a key adds none.
		before := app.View{App: c.App, Settings: set}.NestedMounts()
		for _, path := range changed.NestedMounts() {
			if !slices.Contains(before, path) {
				return cli.Refuse("Invalid docker option: %s", &app.NestedError{Path: path, Root: set.StorageDir()})
			}
		}
		return nil
	})
	if err == nil && missing != nil {
		c.Warn("%s", missing)
	}
	return err
}

// removeOptions succeeds if an option is not there, as in Dokku: scripts rely on it.
func removeOptions(c *cli.Call, list []scope, less map[options.Phase][]options.Option) error {
	for _, s := range list {
		_, missing := options.Remove(s.of(&c.App.State), less[s.phase])
		for _, o := range missing {
			c.Warn("%s is not an option of the %s of %s", event.OneLine(o.String()), s.whose(), c.App.Name)
		}
	}
	return changeOptions(c, "docker-options:remove", list, func(st *app.State) error {
		for _, s := range list {
			rest, _ := options.Remove(s.of(st), less[s.phase])
			s.put(st, rest)
		}
		return nil
	})
}

func clearOptions(c *cli.Call) error {
	log, all := c.Events().WithApp(c.App.Name), len(c.Args) == 0 || c.Args[0] == ""
	types := commas(c.List("process"))
	text := strings.Join(phases, ",")
	switch {
	case !all:
		text = c.Args[0]
	case len(types) > 0:
		text = string(options.Deploy)
	}
	list, err := scopes(text, types)
	if err != nil {
		return err
	}
	if all {
		log.Step("Clearing docker-options for %s on all phases", c.App.Name)
	} else {
		for phase := range strings.SplitSeq(text, ",") {
			log.Step("Clearing docker-options for %s on phase %s", c.App.Name, phase)
		}
	}
	return changeOptions(c, "docker-options:clear", list, func(st *app.State) error {
		for _, s := range list {
			s.put(st, nil)
		}
		return nil
	})
}

// changeOptions changes the stored lines, and says when that takes effect.
func changeOptions(c *cli.Call, op string, list []scope, change func(*app.State) error) error {
	log := c.Events().WithApp(c.App.Name)
	before := c.App.State.Clone()
	err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op}, log, change)
	if err != nil || !c.App.Deployed() {
		return err
	}
	used := func(phase options.Phase) bool {
		return slices.ContainsFunc(list, func(s scope) bool {
			return s.phase == phase && (op != "docker-options:clear" || len(s.of(&before)) > 0)
		})
	}
	if used(options.Build) {
		log.Detail("It takes effect with the next push or rebuild (dokku ps:rebuild %s)", c.App.Name)
	}
	if used(options.Deploy) {
		log.Detail("It takes effect with the next deploy or restart (dokku ps:restart %s)", c.App.Name)
	}
	if used(options.Run) {
		log.Detail("It takes effect with the next command of dokku run, and the next run of a cron task")
	}
	return nil
}

func listOptions(c *cli.Call) error {
	phase := c.Value("phase")
	if phase == "" {
		return cli.Refuse("--phase is required")
	}
	if !slices.Contains(phases, phase) {
		return cli.Refuse("Phase must be one of [%s]", strings.Join(phases, " "))
	}
	s := scope{options.Phase(phase), c.Value("process")}
	if c.Changed("process") {
		if err := checkProcess(s.typ, phase); err != nil {
			return err
		}
	}
	for _, line := range s.of(&c.App.State) {
		c.Print("%s\n", cli.VisibleValue(line))
	}
	return nil
}

const (
	optionsNoun   = "docker-options"
	optionsPrefix = optionsNoun + "-"
)

// optionProperties are the rights over the server that options may give. Only somebody on
// the server gives them.
var optionProperties = cli.Properties{
	Noun:   optionsNoun,
	Role:   cli.Admin,
	List:   []cli.Property{rightProperty(app.PropCapabilities), rightProperty(app.PropDevices), rightProperty(app.PropMounts)},
	Get:    func(*app.State, string) string { return "" },
	Server: func(set *app.Settings) *map[string]string { return &set.DockerOptions },
}

func rightProperty(name string) cli.Property {
	return cli.Property{Name: name, OnlyServer: true, OnHost: func(string, string) bool { return true },
		Check: func(value string) error { return app.CheckDockerProperty(name, value) }}
}

var optionsReport = cli.Reporter{
	Noun: optionsNoun, About: "docker options", Rest: "PROCESS",
	Keys: []string{optionsPrefix + "build", optionsPrefix + "deploy", optionsPrefix + "deploy.",
		optionsPrefix + "global-" + app.PropCapabilities, optionsPrefix + "global-" + app.PropDevices, optionsPrefix + "global-" + app.PropMounts, optionsPrefix + "run"},
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return optionProperties.Global(set), err
	},
	Collect: func(_ *cli.Call, a *app.App, _ string) (map[string]string, error) {
		values := map[string]string{}
		for key, lines := range optionLists(a) {
			values[optionsPrefix+key] = strings.Join(lines, " ")
		}
		return values, nil
	},
	Lists: func(a *app.App) map[string][]string {
		lists := map[string][]string{}
		for key, lines := range optionLists(a) {
			lists[key+"-list"] = lines
		}
		return lists
	},
}

// optionLists returns the app's options by phase, and those of process types as deploy.web.
func optionLists(a *app.App) map[string][]string {
	lists := map[string][]string{}
	for _, phase := range phases {
		lists[phase] = scope{phase: options.Phase(phase)}.of(&a.State)
	}
	for key, lines := range a.State.DockerOptions {
		lists[key] = lines
	}
	return lists
}
