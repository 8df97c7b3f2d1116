package sources

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/remote"
)

// A Push is what lies in a repository of its own on its way into an app's.
type Push struct {
	App  string
	Repo string // path of the repository that has the commits
	// Refs are to move if they still are where they were when the command began.
	Refs    []deploy.Ref
	Options []string // of git push -o
	Origin  deploy.Origin
}

// words are the words behind git push.
func (p Push) words(binary, dir string) []string {
	words := []string{"--porcelain", "--no-verify", "--receive-pack=" + remote.ShellWord(binary) + " receive-pack"}
	for _, option := range p.Options {
		words = append(words, "--push-option="+option)
	}
	moves := []string{dir}
	for _, r := range p.Refs {
		words = append(words, "--force-with-lease="+r.Name+":"+present(r.Old))
		moves = append(moves, present(r.New)+":"+r.Name)
	}
	return append(words, moves...)
}

// present returns an object id, "" for that of none.
func present(id string) string {
	if id == deploy.ZeroID {
		return ""
	}
	return id
}

// Output is where a push prints, and how its reader types commands (see event.Hints).
type Output struct {
	Out, Errs io.Writer
	Remote    string
	// User is the name of the ssh key; empty on the server itself.
	User string
}

// git pushes with git push, whose receive-pack is this program's wrapper: what pushes
// with ssh and what pushes here goes the same road from there on. git's end, and so that
// of this process, cancels the push until it is accepted.
func (i *Importer) git(ctx context.Context, p Push) error {
	o := i.Output
	// The kernel's signal at our end takes effect when this thread ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	root := i.Server.Env.Store.Root
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", p.Repo, "push"}, p.words(i.Server.Binary, i.Server.Env.Store.Dir(p.App))...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(remote.Environment(root), "DOKKU_ROOT="+root, deploy.OriginVar+"="+p.Origin.String(), event.RemoteVar+"="+o.Remote)
	if by := cmp.Or(o.User, i.Server.Env.By); by != "" {
		cmd.Env = append(cmd.Env, proc.PersonVar+"="+by)
	}
	if o.User != "" {
		cmd.Env = append(cmd.Env, "GIT_COMMITTER_NAME="+o.User, "GIT_COMMITTER_EMAIL="+o.User+"@dokku")
	}
	printed, err := relay(cmd, o)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case printed:
		return ErrTold
	}
	return fmt.Errorf("cannot push to %s: %s", p.App, rejection(said.String(), err))
}

// ErrTold is the error of a push that has printed why it failed.
var ErrTold = errors.New("")

// relay runs the command, whose hooks print to o. It returns when all processes of the
// push have ended, so that a push that was cancelled has cleaned up. printed reports
// whether an error was printed.
func relay(cmd *exec.Cmd, o Output) (printed bool, err error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return false, fmt.Errorf("cannot run git push: %w", err)
	}
	defer outR.Close()
	errR, errW, err := os.Pipe()
	if err != nil {
		outW.Close()
		return false, fmt.Errorf("cannot run git push: %w", err)
	}
	defer errR.Close()
	// Descriptor 3 is the wrapper's own.
	cmd.ExtraFiles = []*os.File{nil, outW, errW}
	cmd.Env = append(cmd.Env, event.StreamsVar+"="+event.Streams{Out: 4, Errs: 5, Colour: event.Coloured(o.Out)}.String())
	err = cmd.Start()
	outW.Close()
	errW.Close()
	if err != nil {
		return false, fmt.Errorf("cannot run git push: %w", err)
	}
	var copies sync.WaitGroup
	var bytes int64
	copies.Go(func() { io.Copy(o.Out, outR) })
	copies.Go(func() { bytes, _ = io.Copy(o.Errs, errR) })
	err = cmd.Wait()
	copies.Wait()
	return bytes > 0, err
}

// rejection returns git's reason, from the lines of git push --porcelain.
func rejection(said string, err error) string {
	for line := range strings.Lines(said) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 && f[0] == "!" {
			if strings.Contains(f[2], "stale info") {
				return "the branch moved meanwhile: run the command again"
			}
			return "git says: " + event.Printable(f[2])
		}
	}
	if last := lastLine(said); last != "" {
		return "git says: " + last
	}
	return err.Error()
}

// lastLine returns the last line of git's messages that says something, printable.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return event.Printable(strings.TrimSpace(lines[len(lines)-1]))
}
