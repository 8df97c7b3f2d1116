// Command dokku makes a server a place to which git push deploys. It is one
// program under several names: git calls it as pre-receive and post-receive,
// sshd as "dokku shell", the init system as "dokku agent", and people as
// "dokku ps:scale app web=2".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"dokku/agent"
	"dokku/agent/command"
	"dokku/agent/event"
	"dokku/agent/proxy/nginx"
	"dokku/hooks"
)

// version is set by the linker: -ldflags "-X main.version=0.1.0".
var version string

// defaultRoot is the home of the user dokku, as install.sh makes it.
const defaultRoot = "/home/dokku"

func main() { os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:])) }

// run does what the program was called for and returns the exit code.
func run(name string, args []string) int {
	switch name {
	case "pre-receive":
		return hooks.PreReceive(context.Background(), hooks.OS())
	case "post-receive":
		return hooks.PostReceive(context.Background(), hooks.OS())
	}
	root := os.Getenv("DOKKU_ROOT")
	if root == "" {
		root = defaultRoot
	}
	word := ""
	if len(args) > 0 {
		word = args[0]
	}
	if word == "shell" && len(args) == 2 {
		return shell(root, args[1])
	}
	if word == "install:print" && len(args) == 2 {
		return printInstalled(root, args[1])
	}
	dir, _ := os.Getwd() // become leaves it
	if !rootless(firstWord(args)) {
		if err := become(root); err != nil {
			return fail(err)
		}
	}
	ctx, stop := cancelled()
	defer stop()
	switch word {
	case "agent":
		return runAgent(ctx, root, args[1:])
	case "shell":
		return fail(fmt.Errorf("dokku shell is for sshd, which gives it the name of one key"))
	}
	env := environment(root, "")
	env.Dir = dir
	return command.Execute(ctx, env, args)
}

// printInstalled prints a file that install.sh installs for root, before there
// is a DOKKU_ROOT. The texts stand beside the code that relies on them.
func printInstalled(root, name string) int {
	dir := filepath.Join(root, ".dokku", "nginx")
	text, ok := map[string]string{"nginx-conf": nginx.ConfD(dir), "nginx-check": nginx.CheckScript(dir),
		"nginx-reload": nginx.ReloadScript()}[name]
	if !ok {
		return fail(fmt.Errorf("install:print knows nginx-conf, nginx-check and nginx-reload, not %q", name))
	}
	fmt.Print(text)
	return 0
}

// shell serves an ssh client. Whoever it lets in has dokku's rights already.
func shell(root, key string) int {
	env := hooks.OS()
	env.Root, env.Key = root, key
	env.Run = func(ctx context.Context, args []string) int {
		ctx, stop := cancelledFrom(ctx)
		defer stop()
		return command.Execute(ctx, environment(root, key), args)
	}
	return hooks.Shell(context.Background(), env)
}

// runAgent is the deploy agent, until a signal ends it.
func runAgent(ctx context.Context, root string, args []string) int {
	if len(args) > 0 {
		return fail(fmt.Errorf("dokku agent takes no arguments: it runs until a signal ends it"))
	}
	server, err := agent.Open(root)
	if err != nil {
		return fail(err)
	}
	// Warnings go to the journal too.
	terminal := event.NewTerminal(io.Discard, os.Stderr, true)
	defer terminal.Close()
	if err := server.Run(ctx, server.Log(terminal)); err != nil && ctx.Err() == nil {
		return fail(err)
	}
	return 0
}

func environment(root, key string) command.Env {
	return command.Env{
		Root: root, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())),
		Console:  command.NewConsole(os.Stdin, os.Stdout, os.Getenv("TERM")),
		Version:  versionText(), User: key, Keys: hooks.SSHKeys,
	}
}

func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "0.0.0-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return strings.Trim(info.Main.Version, "()")
}

// firstWord is the command, after Dokku's global flags.
func firstWord(args []string) string {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "--app":
			i++
		case "--quiet", "--trace", "--force":
		default:
			if !strings.HasPrefix(args[i], "--app=") {
				return args[i]
			}
		}
	}
	return "help"
}

// rootless reports whether a command needs no DOKKU_ROOT, or not as its owner.
func rootless(word string) bool {
	switch word {
	case "help", "version", "completion", "--help", "-h", "--version", "-v":
		return true
	case "ssh-keys:add":
		// An administrator's key may be in a file that only root can read; the list
		// of keys is given to its owner again.
		return os.Geteuid() == 0
	}
	return strings.HasSuffix(word, ":help")
}

func cancelled() (context.Context, context.CancelFunc) { return cancelledFrom(context.Background()) }

// cancelledFrom returns a context that ends with the first signal, or when
// nobody reads the output any longer, so that what was begun is cleaned up. A
// second signal ends the program at once.
func cancelledFrom(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	// SIGPIPE stays caught: the clean-up may print too.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, unix.SIGPIPE)
	gone := readerGone(os.Stdout)
	go func() {
		select {
		case <-ctx.Done():
		case <-pipe:
		case <-gone:
		}
		stop()
		cancel()
	}()
	return ctx, func() { stop(); cancel() }
}

// readerGone is closed when the other end of a pipe or socket is: a command
// that waits for output to come would otherwise outlive its client.
func readerGone(f *os.File) <-chan struct{} {
	gone := make(chan struct{})
	info, err := f.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return gone
	}
	go func() {
		for {
			fds := []unix.PollFd{{Fd: int32(f.Fd())}}
			n, err := unix.Poll(fds, -1)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err == nil && n > 0 {
				close(gone)
			}
			return
		}
	}()
	return gone
}

// become makes root the owner of DOKKU_ROOT, so that no file ever belongs to
// anybody else, and refuses other users.
func become(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w (install.sh install creates it; DOKKU_ROOT names another folder)", root, err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner == os.Geteuid() {
		return nil
	}
	name := strconv.Itoa(owner)
	u, err := user.LookupId(name)
	if err == nil {
		name = u.Username
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot use %s, which belongs to the user %s: run it as root (sudo dokku COMMAND) or as %[2]s", root, name)
	}
	if err != nil {
		return fmt.Errorf("cannot become the owner of %s: %w", root, err)
	}
	return switchTo(u)
}

// switchTo gives up root's rights for those of a user, whose groups give access
// to Docker.
func switchTo(u *user.User) error {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("cannot become %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("cannot become %s: %w", u.Username, err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("cannot find the groups of %s: %w", u.Username, err)
	}
	groups := []int{gid}
	for _, id := range ids {
		if g, err := strconv.Atoi(id); err == nil && g != gid {
			groups = append(groups, g)
		}
	}
	for _, err := range []error{syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(uid)} {
		if err != nil {
			return fmt.Errorf("cannot become %s: %w", u.Username, err)
		}
	}
	// A folder of root's may be unreadable now, and git insists on reading it.
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("cannot become %s: %w", u.Username, err)
	}
	for k, v := range map[string]string{"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username} {
		os.Setenv(k, v)
	}
	return nil
}

// fail prints an error as Dokku does.
func fail(err error) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		text, _ := event.Format(event.StyleWarning, line)
		fmt.Fprintln(os.Stderr, text)
	}
	return 1
}
