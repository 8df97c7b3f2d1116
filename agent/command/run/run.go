package run

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/oneoff"
	"dokku/build/options"
)

// oneOffTTL is Dokku's default time to live of a detached command, in seconds.
const oneOffTTL = "86400"

// longestTTL is the longest time to live: a year.
const longestTTL = 365 * 24 * time.Hour

// Commands are the commands of this package.
var Commands = slices.Concat(runCommands, cronCommands, logCommands, logSetCommands, deployLogCommands, deployCommands, buildCommands, buildSetCommands)

// cronFlags are those that Dokku's own crontab gives.
var cronFlags = map[string]string{"cron-id": "dokku cron:run APP ID", "concurrency-policy": "concurrency_policy of the task, in app.json"}

var runCommands = []cli.Spec{
	{
		Elsewhere: cronFlags,
		Use:       "run APP COMMAND [ARG...]", Role: cli.Operator, Short: "Run a command in a new container of the app's image",
		Long: "The container has the app's config and network, and is removed when the command ends. run exits with the\n" +
			"command's exit code. On a terminal, the command gets a terminal too. All words after APP belong to the\n" +
			"command, flags too. If COMMAND is a process type of the Procfile, that type's command runs with the arguments.",
		Example: "dokku run hello ls -la\ndokku run --label com.example.job=import hello ./import\nssh -t dokku@server run hello sh\ndokku run -e DEBUG=1 hello ./migrate --dry-run < data.sql",
		Flags: func(f *pflag.FlagSet) {
			runFlags(f, "")
			f.Bool("no-tty", false, "give the command no terminal")
			f.Bool("force-tty", false, "always give the command a terminal")
		},
		Words: firstType, Run: runAttached,
	},
	{
		Elsewhere: cronFlags,
		Use:       "run:detached APP COMMAND [ARG...]", Role: cli.Operator, Short: "Start a command in a new container and print the container's name",
		Long: "The command runs until it ends or its time to live is over, also without the client. Then the agent\n" +
			"removes the container.",
		Example: "dokku run:detached --ttl-seconds 600 hello ./report",
		Flags: func(f *pflag.FlagSet) {
			runFlags(f, oneOffTTL)
			f.Bool("no-tty", false, "give the command no terminal (the default)")
			f.Bool("force-tty", false, "give the command a terminal")
		},
		Words: firstType, Run: runDetached,
	},
	{
		Use: "run:list [APP]", Role: cli.Operator, Short: "List the app's one-off containers",
		Flags: func(f *pflag.FlagSet) { f.String("format", "stdout", "stdout or json") },
		Values: map[string]func(*cli.Call) []string{
			"format": cli.OneOfWords("stdout", "json"),
		},
		Run: listOneOffs,
	},
	{
		Use: "run:logs [APP]", Role: cli.Operator, Short: "Show the logs of the app's one-off containers",
		Example: "dokku run:logs hello -t",
		Flags: func(f *pflag.FlagSet) {
			f.BoolP("tail", "t", false, "show new lines until the containers end")
			f.StringP("num", "n", "100", "number of lines of each container, or all; 0 with -t means new lines only")
			f.BoolP("quiet", "q", false, "only the lines, without times and names")
			f.String("container", "", "only this container; APP may be left out")
		},
		Values: map[string]func(*cli.Call) []string{"container": oneOffNames},
		Run:    oneOffLogs,
	},
	{
		Use: "run:stop [APP]", Role: cli.Operator, Short: "Stop the app's one-off containers, or one of them",
		Example: "dokku run:stop hello --container hello.run.28689",
		Flags:   func(f *pflag.FlagSet) { f.String("container", "", "only this container; APP may be left out") },
		Values:  map[string]func(*cli.Call) []string{"container": oneOffNames},
		Run:     stopOneOffs,
	},
	{
		Use: "enter APP [PROCESS] [COMMAND...]", Role: cli.Operator, Short: "Open a shell in a running container, or run a command in it",
		Long: "PROCESS is a process type (worker) or a process (worker.2); default: web. --container-id ID names a\n" +
			"container instead. The default COMMAND is /bin/bash, or /bin/sh if the image has no bash.",
		Example: "dokku enter hello\ndokku enter hello worker.2 ps aux",
		Flags: func(f *pflag.FlagSet) {
			f.SetInterspersed(false)
			f.String("container-id", "", "the container with this id or name")
		},
		Words: firstType, Run: enter,
	},
}

// runFlags adds the flags before APP; words after APP belong to the command.
func runFlags(f *pflag.FlagSet, ttl string) {
	f.SetInterspersed(false)
	f.StringArrayP("env", "e", nil, "a variable in addition to the app's config, KEY=VALUE; may be repeated")
	f.StringArray("label", nil, "a label of the container, NAME=VALUE; may be repeated")
	f.String("ttl-seconds", ttl, "stop the command after this many seconds")
}

// firstType completes the word after the app.
func firstType(c *cli.Call) []string {
	if len(c.Args) > 0 {
		return nil
	}
	return c.Types()
}

func runAttached(c *cli.Call) error {
	o, err := oneOff(c, c.Env.Console != nil)
	if err != nil {
		return err
	}
	if v, err := c.View(c.App); err == nil && c.Headings() && v.Declares(c.Args[0]) {
		c.Print("-----> Found '%s' in Procfile, running that command\n", c.Args[0])
	}
	st, release := streams(c, o.TTY)
	last, err := oneoff.RunAttached(c.Ctx, c.Server, c.App.Name, o, st, c.Events())
	release()
	switch {
	case err != nil:
		return coded(err)
	case last.OOMKilled:
		c.Warn("The command was killed because it ran out of memory")
		var docker options.Container
		if v, err := c.View(c.App); err == nil {
			docker, _ = v.OneOffs() // they were valid when it started
		}
		c.Warn("%s", deploy.MemoryFix(c.App.Name, c.App.Current.ContainerOptions, docker, "run"))
	}
	return exited(last.ExitCode)
}

func runDetached(c *cli.Call) error {
	o, err := oneOff(c, false)
	if err != nil {
		return err
	}
	i, err := oneoff.RunDetached(c.Ctx, c.Server, c.App.Name, o, c.Events())
	if err != nil {
		return coded(err)
	}
	c.Print("%s\n", i.Name)
	return nil
}

// oneOff checks a command line of run. tty is the default for the command's terminal.
func oneOff(c *cli.Call, tty bool) (oneoff.OneOff, error) {
	o := oneoff.OneOff{Words: c.Args, By: c.Env.User, TTY: tty && !c.Flag("no-tty") || c.Flag("force-tty")}
	if c.Flag("no-tty") && c.Flag("force-tty") {
		return o, cli.Refuse("Cannot specify both --force-tty and --no-tty")
	}
	ttl, err := parseTTL(c.Value("ttl-seconds"))
	if err != nil {
		return o, err
	}
	o.TTL = ttl
	own := c.List("env")
	for _, pair := range own {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return o, cli.Refuse("Invalid env pair: %s", event.OneLine(pair))
		}
		if err := errors.Join(cli.CheckKey(key), cli.CheckValue(key, value)); err != nil {
			return o, err
		}
	}
	o.Env = append(terminalEnv(c, o.TTY), own...)
	if o.Labels, err = labels(c.List("label")); err != nil {
		return o, err
	}
	if err := checkWords(o.Words); err != nil {
		return o, err
	}
	return o, c.Deployed()
}

// labelName is the form of a label's name.
var labelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// labels reads --label. The labels that dokku itself sets tell it whose a container is, and
// what of the server it serves.
func labels(pairs []string) (map[string]string, error) {
	list := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !labelName.MatchString(name) {
			return nil, cli.Refuse("Invalid label %q: write NAME=VALUE, such as com.example.job=import", event.OneLine(pair))
		}
		if strings.HasPrefix(strings.ToLower(name), engine.OwnLabels) {
			return nil, cli.Refuse("Invalid label %s: labels that begin with %s are dokku's own; take another name", name, engine.OwnLabels)
		}
		if err := cli.CheckValue(name, value); err != nil {
			return nil, err
		}
		list[name] = value
	}
	return list, nil
}

// parseTTL reads --ttl-seconds; "" means no limit.
func parseTTL(value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > int(longestTTL/time.Second) {
		return 0, cli.Refuse("--ttl-seconds must be a positive integer, at most %d, not %q", int(longestTTL/time.Second), event.OneLine(value))
	}
	return time.Duration(n) * time.Second, nil
}

// checkWords returns an error for words that cannot be the arguments of a command.
func checkWords(words []string) error {
	for n, word := range words {
		switch {
		case n == 0 && strings.TrimSpace(word) == "":
			return cli.Refuse("No command specified: the first word after the app is empty")
		case strings.Contains(word, "\x00"):
			return cli.Refuse("Invalid argument %q: it contains a NUL byte, which a command line cannot hold", event.OneLine(word))
		case !utf8.ValidString(word):
			return cli.Refuse("Invalid argument %q: it is not valid UTF-8 and cannot be passed on unchanged", event.OneLine(word))
		}
	}
	return nil
}

// exitError ends a command with a program's exit code and without a message.
type exitError int

func (exitError) Error() string { return "" }

// ExitCode returns the program's exit code.
func (e exitError) ExitCode() int { return int(e) }

func exited(code int) error {
	if code == 0 {
		return nil
	}
	return exitError(code)
}

// missingError reports a command that the image does not have.
type missingError struct{ error }

func (e missingError) Unwrap() error { return e.error }

// ExitCode returns a shell's exit code for a missing command.
func (missingError) ExitCode() int { return 127 }

// coded gives an error the exit code that a shell would use.
func coded(err error) error {
	if errors.Is(err, engine.ErrNoCommand) {
		return missingError{err}
	}
	return err
}
