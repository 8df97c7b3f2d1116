package command

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/engine"
)

// oneOffTTL is how long a detached command may run by default, in seconds; Dokku's.
const oneOffTTL = "86400"

// longestTTL is the longest time to live: a year.
const longestTTL = 365 * 24 * time.Hour

var runCommands = []spec{
	{
		use: "run APP COMMAND [ARG...]", short: "Run a command in a new container of the app's image",
		long: "The container has the app's config and network, and is removed when the command ends; its exit code is\n" +
			"the command's. On a terminal the command has one too. What follows APP is the command's, flags too. If\n" +
			"COMMAND is a process type of the Procfile, that type's command is run with the arguments.",
		example: "dokku run hello ls -la\nssh -t dokku@server run hello sh\ndokku run -e DEBUG=1 hello ./migrate --dry-run < data.sql",
		flags: func(f *pflag.FlagSet) {
			runFlags(f, "")
			f.Bool("no-tty", false, "give the command no terminal")
			f.Bool("force-tty", false, "give the command a terminal in any case")
		},
		words: (*call).firstType, run: runAttached,
	},
	{
		use: "run:detached APP COMMAND [ARG...]", short: "Start a command in a new container, and print its name",
		long: "It goes on when the client has gone, until the command ends or its time to live is over; then the agent\n" +
			"removes it.",
		example: "dokku run:detached --ttl-seconds 600 hello ./report",
		flags: func(f *pflag.FlagSet) {
			runFlags(f, oneOffTTL)
			f.Bool("no-tty", false, "give the command no terminal; the default")
			f.Bool("force-tty", false, "give the command a terminal")
		},
		words: (*call).firstType, run: runDetached,
	},
	{
		use: "run:list [APP]", short: "List the app's one-off containers",
		flags: func(f *pflag.FlagSet) { f.String("format", "stdout", "stdout or json") },
		values: map[string]func(*call) []string{
			"format": oneOfWords("stdout", "json"),
		},
		run: listOneOffs,
	},
	{
		use: "run:logs [APP]", short: "Show what the app's one-off containers print",
		example: "dokku run:logs hello -t",
		flags: func(f *pflag.FlagSet) {
			f.BoolP("tail", "t", false, "go on with new lines until the containers end")
			f.StringP("num", "n", "100", "how many lines of each container; 0: all")
			f.String("container", "", "only this container; APP may be left out then")
		},
		values: map[string]func(*call) []string{"container": (*call).oneOffNames},
		run:    oneOffLogs,
	},
	{
		use: "run:stop [APP]", short: "Stop the app's one-off containers, or one of them",
		example: "dokku run:stop hello --container hello.run.28689",
		flags:   func(f *pflag.FlagSet) { f.String("container", "", "only this container; APP may be left out then") },
		values:  map[string]func(*call) []string{"container": (*call).oneOffNames},
		run:     stopOneOffs,
	},
	{
		use: "enter APP [PROCESS] [COMMAND...]", short: "Open a shell in a running container, or run a command in it",
		long: "PROCESS is a process type (worker) or a process (worker.2); web if it is left out. --container-id ID\n" +
			"in its place names a container. Without COMMAND it is /bin/bash, or /bin/sh where the image has no bash.",
		example: "dokku enter hello\ndokku enter hello worker.2 ps aux",
		flags: func(f *pflag.FlagSet) {
			f.SetInterspersed(false)
			f.String("container-id", "", "the container with this id or name")
		},
		words: (*call).firstType, run: enter,
	},
}

// runFlags are the flags before APP; what comes after it is the command's.
func runFlags(f *pflag.FlagSet, ttl string) {
	f.SetInterspersed(false)
	f.StringArrayP("env", "e", nil, "a variable beside the app's config, KEY=VALUE; may be repeated")
	f.String("ttl-seconds", ttl, "stop the command after this many seconds")
}

// firstType completes the word after the app.
func (c *call) firstType() []string {
	if len(c.args) > 0 {
		return nil
	}
	return c.types()
}

func runAttached(c *call) error {
	o, err := c.oneOff(c.env.Console != nil)
	if err != nil {
		return err
	}
	if c.headings() && c.server.Declares(c.app, c.args[0]) {
		c.print("-----> Found '%s' in Procfile, running that command\n", c.args[0])
	}
	st, release := c.streams(o.TTY)
	last, err := c.server.RunAttached(c.ctx, c.app.Name, o, st, c.events())
	release()
	switch {
	case err != nil:
		return coded(err)
	case last.OOMKilled:
		c.warn("The command was killed because its memory ran out")
	}
	return exited(last.ExitCode)
}

func runDetached(c *call) error {
	o, err := c.oneOff(false)
	if err != nil {
		return err
	}
	i, err := c.server.RunDetached(c.ctx, c.app.Name, o, c.events())
	if err != nil {
		return coded(err)
	}
	c.print("%s\n", i.Name)
	return nil
}

// oneOff checks a command line of run. tty is whether the command gets a terminal
// if no flag says so.
func (c *call) oneOff(tty bool) (agent.OneOff, error) {
	o := agent.OneOff{Words: c.args, By: c.env.User, TTY: tty && !c.flag("no-tty") || c.flag("force-tty")}
	if c.flag("no-tty") && c.flag("force-tty") {
		return o, refuse("Cannot specify both --force-tty and --no-tty")
	}
	ttl, err := parseTTL(c.value("ttl-seconds"))
	if err != nil {
		return o, err
	}
	o.TTL = ttl
	own := c.list("env")
	for _, pair := range own {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return o, refuse("Invalid env pair: %s", oneLine(pair))
		}
		if err := errors.Join(checkKey(key), checkValue(key, value)); err != nil {
			return o, err
		}
	}
	o.Env = append(c.terminalEnv(o.TTY), own...)
	if err := checkWords(o.Words); err != nil {
		return o, err
	}
	return o, c.deployed()
}

// parseTTL reads --ttl-seconds; "" is no limit.
func parseTTL(value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > int(longestTTL/time.Second) {
		return 0, refuse("--ttl-seconds must be a positive integer, of at most %d: it is %q", int(longestTTL/time.Second), oneLine(value))
	}
	return time.Duration(n) * time.Second, nil
}

// checkWords accepts what can be a command's arguments.
func checkWords(words []string) error {
	for n, word := range words {
		switch {
		case n == 0 && strings.TrimSpace(word) == "":
			return refuse("No command specified: the first word after the app is empty")
		case strings.Contains(word, "\x00"):
			return refuse("Invalid argument %q: it has a NUL byte, which a command line cannot hold", oneLine(word))
		case !utf8.ValidString(word):
			return refuse("Invalid argument %q: it is not valid UTF-8, and could not be passed on as it is", oneLine(word))
		}
	}
	return nil
}

// exitError ends a command with a program's exit code, which says all.
type exitError int

func (exitError) Error() string { return "" }

// ExitCode is the program's.
func (e exitError) ExitCode() int { return int(e) }

func exited(code int) error {
	if code == 0 {
		return nil
	}
	return exitError(code)
}

// missingError is about a command that the image does not have.
type missingError struct{ error }

func (e missingError) Unwrap() error { return e.error }

// ExitCode is what a shell exits with.
func (missingError) ExitCode() int { return 127 }

// coded gives an error the exit code that a shell would.
func coded(err error) error {
	if errors.Is(err, engine.ErrNoCommand) {
		return missingError{err}
	}
	return err
}
