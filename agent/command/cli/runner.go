package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/event"
)

// Runner runs one command line.
type Runner struct {
	Env    Env
	groups [][]Spec
	Quiet  bool
	Trace  bool
	Force  bool
	NoWait bool
	app    string // --app
	// completing is set when a shell asks for completions.
	completing bool

	Server   *agent.Server
	settings *app.Settings // read once; nil: not yet
	terminal *event.Terminal
	log      event.Log
}

// Run runs one command line, without the program's name, with the commands of groups. It
// returns the exit code: 0, 1 for an error, 20 for an app that does not exist. It returns
// when the command has ended or ctx is done.
func Run(ctx context.Context, env Env, groups [][]Spec, args []string) int {
	var mu sync.Mutex
	env.Stdout, env.Stderr = &serial{&mu, env.Stdout}, &serial{&mu, env.Stderr}
	r := &Runner{Env: env, groups: groups, Quiet: env.Quiet, Server: env.Server}
	err := r.execute(ctx, args)
	r.close()
	return Report(ctx, env.Stderr, r.hinted(err))
}

func (r *Runner) execute(ctx context.Context, args []string) error {
	args, err := r.leading(args)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return r.help(r.tree(""), nil)
	}
	if err := r.become(args[0]); err != nil {
		return err
	}
	if asksAboutNoun(r, args) {
		args = []string{args[0] + ":help"}
	}
	if r.completing = isCompletion(args[0]); r.completing {
		if err := r.mayComplete(); err != nil {
			return err
		}
	}
	root := r.tree(args[0])
	if noun, ok := helpNoun(root, args[0]); ok {
		if len(args) > 1 && args[1] != "--help" && args[1] != "-h" {
			return Refuse("Unexpected argument %q after %s, which prints help", args[1], args[0])
		}
		r.printNounHelp(root, noun)
		return nil
	}
	if !known(root, args[0]) {
		return unknown(root, args[0])
	}
	if s, ok := r.find(args[0]); ok && s.Hyphens {
		args = hyphens(root, args, r.app != "")
	}
	if r.Env.Access != nil && r.Env.Access.Command == "" {
		r.Env.Access.Command = args[0]
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// hyphens puts "--" before the first word of a value that begins with a hyphen and is no flag of
// the command: "set APP KEY --cpus=1". named: the app is not one of the words.
func hyphens(root *cobra.Command, args []string, named bool) []string {
	cmd, _, err := root.Find(args[:1])
	if err != nil {
		return args
	}
	isFlag := func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "--") {
			return name == "help" || cmd.Flag(name) != nil
		}
		return arg == "-h"
	}
	words := 0
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return args
		case arg == "--app":
			named, i = true, i+1
		case strings.HasPrefix(arg, "--app="):
			named = true
		case isFlag(arg):
			named = named || arg == "--global"
		case !strings.HasPrefix(arg, "-") || arg == "-":
			words++
		case words >= 2 || words == 1 && named:
			return slices.Insert(slices.Clone(args), i, "--")
		}
	}
	return args
}

// become makes the process run as the owner of DOKKU_ROOT, unless the command needs no
// DOKKU_ROOT or root's rights.
func (r *Runner) become(word string) error {
	if r.Env.Become == nil || strings.HasSuffix(word, ":help") {
		return nil
	}
	if s, ok := r.find(word); ok && (s.Rootless || s.AsRoot && os.Geteuid() == 0) {
		return nil
	}
	return r.Env.Become()
}

// find returns the Spec of a command.
func (r *Runner) find(name string) (Spec, bool) {
	for _, group := range r.groups {
		for _, s := range group {
			if s.name() == name {
				return s, true
			}
		}
	}
	return Spec{}, false
}

// leading applies the global flags before the command and returns the other words. Flags of
// the command may stand before it too, with their values joined, as in Dokku: they are put
// behind it.
func (r *Runner) leading(args []string) ([]string, error) {
	var own []string
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		flag, rest := args[0], args[1:]
		n, err := r.globalFlag(flag, rest)
		switch {
		case err != nil:
			return nil, err
		case n > 0:
			args = args[n:]
			continue
		}
		switch flag {
		case "--help", "-h":
			return append([]string{"help"}, rest...), nil
		case "--version", "-v":
			return append([]string{"version"}, rest...), nil
		}
		if !commandFlag.MatchString(flag) || len(rest) == 0 {
			return nil, Refuse("Invalid flag %s before the command, valid flags: --quiet, --trace, --force, --no-wait, --app NAME", flag)
		}
		own, args = append(own, flag), rest
	}
	if len(own) > 0 && len(args) > 0 {
		args = slices.Concat(args[:1], own, args[1:])
	}
	return args, nil
}

// commandFlag is the form of flags that a command may have.
var commandFlag = regexp.MustCompile(`^--[a-z][a-z0-9-]*(=|$)`)

// globalFlag applies a global flag and returns its number of words; 0: flag is not a
// global flag.
func (r *Runner) globalFlag(flag string, rest []string) (int, error) {
	words := 1
	name, value, joined := strings.Cut(flag, "=")
	switch {
	case joined && (name == "--quiet" || name == "--trace" || name == "--force" || name == "--no-wait"):
		return 0, Refuse("Invalid flag %s before the command, valid flags: --quiet, --trace, --force, --no-wait, --app NAME", flag)
	case flag == "--quiet":
		r.Quiet = true
	case flag == "--trace":
		r.Trace = true
	case flag == "--force":
		r.Force = true
	case flag == "--no-wait":
		r.NoWait = true
	case name == "--app":
		if !joined && len(rest) > 0 {
			value, words = rest[0], 2
		}
		if value == "" {
			return 0, fmt.Errorf("--app needs the name of an app")
		}
		r.app = value
	default:
		return 0, nil
	}
	return words, nil
}

// tree builds the cobra commands. Since every command line has to build them, it builds
// just the command only, if it can.
func (r *Runner) tree(only string) *cobra.Command {
	root := &cobra.Command{
		Use:               "dokku",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(r.Env.Stdin)
	root.SetOut(r.Env.Stdout)
	root.SetErr(r.Env.Stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { r.printUsage(cmd) })
	flags := root.PersistentFlags()
	flags.BoolVar(&r.Quiet, "quiet", r.Quiet, "print neither headings nor progress")
	flags.BoolVar(&r.Trace, "trace", r.Trace, "print each event as JSON to stderr")
	flags.BoolVar(&r.Force, "force", r.Force, "do not ask for confirmation")
	flags.BoolVar(&r.NoWait, "no-wait", r.NoWait, "fail where a deploy or another command works on the app, instead of waiting for it")
	flags.StringVar(&r.app, "app", r.app, "the app, instead of as the first argument")
	r.add(root, only)
	help := find(root, "help")
	if help == nil {
		// cobra would add its own.
		help = &cobra.Command{Hidden: true}
	}
	root.SetHelpCommand(help)
	return root
}

// add adds the command only, or all: help, completion and unknown words need all.
func (r *Runner) add(root *cobra.Command, only string) {
	if s, ok := r.find(only); ok && !s.Whole {
		root.AddCommand(r.cobra(s))
		return
	}
	for _, group := range r.groups {
		for _, s := range group {
			root.AddCommand(r.cobra(s))
		}
	}
}

// open opens the DOKKU_ROOT, for commands that need one.
func (r *Runner) open() error {
	if r.Server != nil {
		return nil
	}
	server, err := agent.Open(r.Env.Root)
	if err != nil {
		return err
	}
	server.Version = Release(r.Env.Version)
	server.Env.Store.NoWait = r.NoWait
	r.Server = server
	return nil
}

// Events returns the log of operations: the host's log and this command's streams.
func (r *Runner) Events() event.Log {
	if r.terminal != nil {
		return r.log
	}
	r.terminal = event.NewTerminal(r.Env.Stdout, r.Env.Stderr, r.Quiet)
	r.terminal.Over(r.Env.Remote)
	writers := []io.Writer{event.NewHost(filepath.Join(r.Env.Root, ".dokku", "log", "dokku.log")), r.terminal}
	if r.tracing() {
		writers = append(writers, r.Env.Stderr)
	}
	r.log = event.New(writers...)
	return r.log
}

// tracing reports whether each event is printed: --trace, or trace:on for all commands.
func (r *Runner) tracing() bool {
	if r.Trace || r.Server == nil {
		return r.Trace
	}
	set, err := r.Settings()
	return err == nil && set.Trace
}

// Aside returns a log for commands that write only data to standard output.
func (r *Runner) Aside() (log event.Log, done func()) {
	t := event.NewTerminal(r.Env.Stderr, r.Env.Stderr, r.Quiet)
	t.Over(r.Env.Remote)
	writers := []io.Writer{event.NewHost(filepath.Join(r.Env.Root, ".dokku", "log", "dokku.log")), t}
	if r.tracing() {
		writers = append(writers, r.Env.Stderr)
	}
	return event.New(writers...), t.Close
}

// Private returns a log that writes to the terminal only: secrets stay out of the host's
// log.
func (r *Runner) Private() event.Log {
	r.Events()
	return event.New(r.terminal)
}

func (r *Runner) close() {
	if r.terminal != nil {
		r.terminal.Close()
	}
}

// Headings reports whether the command prints headings. It always prints data.
func (r *Runner) Headings() bool { return !r.Quiet }

// Print writes data to stdout.
func (r *Runner) Print(format string, args ...any) {
	fmt.Fprintf(r.Env.Stdout, format, args...)
}

// Paint returns a line for stdout in the colour of a style, where the reader sees it.
func (r *Runner) Paint(s event.Style, line string) string {
	if !r.Colours() {
		return line
	}
	return event.Paint(s, line)
}

// Heading writes the heading of a section of data to stdout.
func (r *Runner) Heading(format string, args ...any) {
	printTo(r.Env.Stdout, event.StyleResult, fmt.Sprintf(format, args...))
}

// Colours reports whether the reader of stdout sees colours.
func (r *Runner) Colours() bool { return event.Coloured(r.Env.Stdout) }

// Hints returns a message whose commands read as its reader can type them.
func (r *Runner) Hints(text string) string { return event.Hints(text, r.Env.Remote) }

// hinted returns the error with its message as Hints has it.
func (r *Runner) hinted(err error) error {
	if err == nil || r.Env.Remote == "" {
		return err
	}
	return &hintedError{err, r.Hints(err.Error())}
}

type hintedError struct {
	error
	text string
}

func (e *hintedError) Error() string { return e.text }
func (e *hintedError) Unwrap() error { return e.error }

// Warn writes a warning to stderr, but not to the host's log.
func (r *Runner) Warn(format string, args ...any) {
	printTo(r.Env.Stderr, event.StyleWarning, r.Hints(fmt.Sprintf(format, args...)))
}

// serial makes a writer safe for concurrent use. Stdout and stderr share the lock, since
// they are often the same terminal.
type serial struct {
	mu *sync.Mutex
	w  io.Writer
}

// Coloured reports whether the reader of the writer sees colours.
func (s *serial) Coloured() bool { return event.Coloured(s.w) }

func (s *serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
