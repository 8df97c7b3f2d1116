package hooks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/proc"
	"dokku/build/source"
)

// A hook is this process when git runs it as a hook of an app's repository.
type hook struct {
	srv     Server
	app     string
	dir     string
	marker  *marker
	options deploy.PushOptions
	term    *event.Terminal
	log     event.Log
}

// PreReceive is git's pre-receive. With exit code 0, git moves the refs. A signal, the
// end of git or the end of the wrapper cancels the push.
func PreReceive(ctx context.Context, env Env) int {
	unbound(env)
	// Before anything else, so that a signal leads to a clean-up.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cancelOnSignal(ctx, cancel)
	m := openMarker(env)
	m.set(markBegun)
	h, err := openHook(env, m)
	if err != nil {
		m.set(markRejected)
		return cli.Report(ctx, env.Stderr, err)
	}
	defer h.term.Close()
	if err := h.prepare(ctx, cancel, env); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("this push was cancelled: %w", cause)
		}
		h.log.Error("%s", err)
		m.set(markRejected)
		return 1
	}
	// From here on a lost client no longer cancels the push.
	m.set(markAccepted)
	_ = failpoint.Reach(failpoint.HookExits) // nothing can fail any more
	return 0
}

func (h *hook) prepare(ctx context.Context, cancel context.CancelCauseFunc, env Env) error {
	if err := failpoint.Reach(failpoint.PackReceived); err != nil {
		return err
	}
	refs, err := readRefs(env.Stdin)
	if err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.RefsParsed); err != nil {
		return err
	}
	git, err := proc.WatchOwner(ctx)
	if err != nil {
		return err
	}
	wrapper := h.marker.wrapperGone(ctx)
	go func() {
		select {
		case <-git:
			cancel(errors.New("git receive-pack has ended: the client is gone, or the server stops"))
		case <-wrapper:
			cancel(errors.New("the client is gone"))
		}
	}()
	origin, err := deploy.ParseOrigin(env.Getenv(deploy.OriginVar))
	if err != nil {
		return err
	}
	objects := source.OptionsFromEnv(h.dir, env.Getenv)
	p := deploy.Push{App: h.app, Refs: refs, Objects: objects, Origin: origin, Options: h.options}
	if p.Options.Detach {
		return h.detach(ctx, p, env)
	}
	return h.srv.Prepare(ctx, p, h.log)
}

// cancelOnSignal cancels at the first signal and ignores later ones, which would
// interrupt the clean-up.
func cancelOnSignal(ctx context.Context, cancel context.CancelCauseFunc) {
	surviveBrokenPipes()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("it received the signal %s: the client is gone, or the server stops", s))
		case <-ctx.Done():
		}
	}()
}

// surviveBrokenPipes makes a write to a closed pipe fail instead of killing this
// process. SIGPIPE does not cancel a push, since any connection may cause it. It is
// handled, not ignored: child processes would inherit an ignored signal.
func surviveBrokenPipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// PostReceive is git's post-receive. The ref has moved, so it finishes the deploy
// whatever happens to the client, git or the terminal: it ignores their signals and
// leaves their process group. Git ignores its exit code; the wrapper learns of a
// failure from the marker.
func PostReceive(ctx context.Context, env Env) int {
	unbound(env)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	surviveBrokenPipes()
	unix.Setsid() // fails only if this process already leads a group
	m := openMarker(env)
	h, err := openHook(env, m)
	if err != nil {
		m.set(markFailed)
		return cli.Report(ctx, env.Stderr, err)
	}
	defer h.term.Close()
	io.Copy(io.Discard, env.Stdin)
	err = failpoint.Reach(failpoint.RefMoved)
	if err == nil {
		err = h.srv.Reconcile(context.WithoutCancel(ctx), h.app, h.log)
	}
	if err != nil {
		h.log.Error("%s", err)
		m.set(markFailed)
		return cli.ExitCode(err)
	}
	m.set(markSettled)
	_ = failpoint.Reach(failpoint.HookExits)
	return 0
}

// openHook opens the app whose repository git works in.
func openHook(env Env, m *marker) (*hook, error) {
	dir := env.Getenv("GIT_DIR")
	if dir == "" {
		dir = "."
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find the repository of this hook: %w", err)
	}
	root := env.Root
	if root == "" {
		root = filepath.Dir(dir)
	}
	if real, err := filepath.EvalSymlinks(root); err != nil || real != filepath.Dir(dir) {
		return nil, fmt.Errorf("cannot deploy from %s: the apps are in DOKKU_ROOT, which is %s: unset DOKKU_ROOT or push to an app there", dir, root)
	}
	name := filepath.Base(dir)
	if err := app.ValidName(name); err != nil {
		return nil, err
	}
	srv, err := env.Open(root)
	if err != nil {
		return nil, err
	}
	options, err := pushOptions(env.Getenv)
	if err != nil {
		return nil, err
	}
	term := openTerminal(env, env.Stdout, env.Stderr, srv, name, options.Colour)
	return &hook{srv: srv, app: name, dir: dir, marker: m, options: options, term: term, log: srv.Log(term).WithApp(name)}, nil
}

// objectID is a SHA-1 or SHA-256 in hexadecimal.
var objectID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// readRefs reads the input of pre-receive: lines of "<old> <new> <ref>".
func readRefs(in io.Reader) ([]deploy.Ref, error) {
	var refs []deploy.Ref
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), " ", 3)
		if len(f) != 3 || !objectID.MatchString(f[0]) || !objectID.MatchString(f[1]) || !strings.HasPrefix(f[2], "refs/") {
			return nil, fmt.Errorf("cannot read %q: pre-receive expects lines of old id, new id and ref", lines.Text())
		}
		refs = append(refs, deploy.Ref{Old: f[0], New: f[1], Name: f[2]})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the pushed refs: %w", err)
	}
	return refs, nil
}
