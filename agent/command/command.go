package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"dokku/agent"
	"dokku/agent/event"
)

// Env is where a command runs. It is all that a command knows of its
// surroundings: nothing is taken from the process.
type Env struct {
	// Root is the DOKKU_ROOT, the folder with the apps' repositories.
	Root   string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Terminal: Stdout is a terminal that a person looks at.
	Terminal bool
	// Console is the terminal that Stdin and Stdout both are; nil: they are none.
	Console Console
	// Version is what the command version prints.
	Version string
	// Become makes the process the owner of Root, before a command that needs that;
	// nil: it is that already.
	Become func() error
	// Dir is where the command was called; relative names of files begin there.
	Dir string
	// User is the name of the ssh key that the command came with; empty on the
	// host itself.
	User string
}

// runner runs one command line.
type runner struct {
	env    Env
	groups [][]spec
	quiet  bool
	trace  bool
	force  bool
	app    string // --app
	// completing: a shell asks how to complete a command line.
	completing bool

	server   *agent.Server
	terminal *event.Terminal
	log      event.Log
}

// run runs one command line, without the program's name, with the commands of
// some groups, and returns its exit code: 0, 1 for an error, 20 for an app that
// does not exist. It returns when the command has ended or ctx is done.
func run(ctx context.Context, env Env, groups [][]spec, args []string) int {
	var mu sync.Mutex
	env.Stdout, env.Stderr = &serial{&mu, env.Stdout}, &serial{&mu, env.Stderr}
	r := &runner{env: env, groups: groups}
	err := r.execute(ctx, args)
	r.close()
	return Report(ctx, env.Stderr, err)
}

func (r *runner) execute(ctx context.Context, args []string) error {
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
	r.completing = isCompletion(args[0])
	root := r.tree(args[0])
	if noun, ok := helpNoun(root, args[0]); ok {
		if len(args) > 1 {
			return refuse("Unexpected argument %q after %s, which prints help", args[1], args[0])
		}
		r.printNoun(root, noun)
		return nil
	}
	if !known(root, args[0]) {
		return unknown(root, args[0])
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// become makes the process the owner of the DOKKU_ROOT, unless the command needs
// none, or root's rights.
func (r *runner) become(word string) error {
	if r.env.Become == nil || strings.HasSuffix(word, ":help") {
		return nil
	}
	if s, ok := r.find(word); ok && (s.rootless || s.asRoot && os.Geteuid() == 0) {
		return nil
	}
	return r.env.Become()
}

// find returns the description of a command.
func (r *runner) find(name string) (spec, bool) {
	for _, group := range r.groups {
		for _, s := range group {
			if s.name() == name {
				return s, true
			}
		}
	}
	return spec{}, false
}

// leading takes Dokku's global flags off the front of a command line.
func (r *runner) leading(args []string) ([]string, error) {
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
		return nil, refuse("Invalid flag %s before the command, valid flags: --quiet, --trace, --force, --app NAME", flag)
	}
	return args, nil
}

// globalFlag applies a global flag and says how many words it takes; 0: it is
// none.
func (r *runner) globalFlag(flag string, rest []string) (int, error) {
	words := 1
	name, value, joined := strings.Cut(flag, "=")
	switch {
	case flag == "--quiet":
		r.quiet = true
	case flag == "--trace":
		r.trace = true
	case flag == "--force":
		r.force = true
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

// tree builds the commands, or the only one that a command line needs: each
// command line pays for it.
func (r *runner) tree(only string) *cobra.Command {
	root := &cobra.Command{
		Use:               "dokku",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(r.env.Stdin)
	root.SetOut(r.env.Stdout)
	root.SetErr(r.env.Stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { r.printUsage(cmd) })
	flags := root.PersistentFlags()
	flags.BoolVar(&r.quiet, "quiet", r.quiet, "leave out headings and progress")
	flags.BoolVar(&r.trace, "trace", r.trace, "print each event as JSON to stderr")
	flags.BoolVar(&r.force, "force", r.force, "do not ask")
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

// add adds the commands. Help, completion and a word that is no command need
// all of them.
func (r *runner) add(root *cobra.Command, only string) {
	if s, ok := r.find(only); ok && !s.whole {
		root.AddCommand(r.cobra(s))
		return
	}
	for _, group := range r.groups {
		for _, s := range group {
			root.AddCommand(r.cobra(s))
		}
	}
}

// open opens the DOKKU_ROOT. What needs none works without: help, version.
func (r *runner) open() error {
	if r.server != nil {
		return nil
	}
	server, err := agent.Open(r.env.Root)
	r.server = server
	return err
}

// events is the log of operations: the host's log and this command's streams.
func (r *runner) events() event.Log {
	if r.terminal != nil {
		return r.log
	}
	r.terminal = event.NewTerminal(r.env.Stdout, r.env.Stderr, r.quiet)
	writers := []io.Writer{event.NewHost(filepath.Join(r.env.Root, ".dokku", "log", "dokku.log")), r.terminal}
	if r.trace {
		writers = append(writers, r.env.Stderr)
	}
	r.log = event.New(writers...)
	return r.log
}

// private is a log that only the terminal shows: secrets stay out of the
// host's log.
func (r *runner) private() event.Log {
	r.events()
	return event.New(r.terminal)
}

func (r *runner) close() {
	if r.terminal != nil {
		r.terminal.Close()
	}
}

// headings reports whether headings are printed; data is printed in any case.
func (r *runner) headings() bool { return r.env.Terminal && !r.quiet }

// print writes data.
func (r *runner) print(format string, args ...any) {
	fmt.Fprintf(r.env.Stdout, format, args...)
}

// warn writes a warning that belongs to no operation.
func (r *runner) warn(format string, args ...any) {
	warnTo(r.env.Stderr, fmt.Sprintf(format, args...))
}

// serial lets several goroutines write; both streams share the lock since they
// are often one terminal.
type serial struct {
	mu *sync.Mutex
	w  io.Writer
}

func (s *serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
