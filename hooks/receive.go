package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// A wrapper stands between sshd and git receive-pack for one push.
type wrapper struct {
	env    Env
	srv    Server
	app    string
	out    *relay // git's side of the protocol
	errs   *relay // what a person reads
	log    event.Log
	term   *event.Terminal
	gone   chan struct{} // closed when the client is lost
	goOnce sync.Once
}

// receivePack serves a push to the app and returns the exit code.
//
// The client may go away, stall or be killed at any moment, and so may this
// process. Up to the moment when pre-receive has accepted, a lost client cancels
// the push. From then on the push is finished without the client: git will move
// the ref, or has, and the ref decides what serves.
func receivePack(ctx context.Context, env Env, app string) int {
	srv, err := env.Open(env.Root)
	if err != nil {
		return complain(env.Stderr, err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := newWrapper(ctx, env, srv, app)
	code, err := w.serve(ctx)
	if err != nil {
		code = exitCode(err)
		w.log.Warn("%s", err)
	}
	w.close()
	return code
}

func newWrapper(ctx context.Context, env Env, srv Server, app string) *wrapper {
	w := &wrapper{env: env, srv: srv, app: app, gone: make(chan struct{})}
	w.out, w.errs = newRelay(env.Stdout, w.lose), newRelay(env.Stderr, w.lose)
	w.term = event.NewTerminal(w.errs, w.errs, false)
	w.log = srv.Log(w.term).WithApp(app)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	surviveBrokenPipes()
	hung := hangup(ctx, env.Stdout)
	go func() {
		select {
		case <-hung:
		case <-signals:
		}
		if ctx.Err() == nil {
			w.lose()
		}
	}()
	return w
}

func (w *wrapper) lose() { w.goOnce.Do(func() { close(w.gone) }) }

// close waits until a client that is still there has read everything. Nothing
// is held by now that anybody could wait for.
func (w *wrapper) close() {
	w.term.Close()
	w.out.flush(w.gone)
	w.errs.flush(w.gone)
}

// serve is a push from the wrapper's side: make the app if need be, let git do
// its work, see to it that what git has decided is carried out.
func (w *wrapper) serve(ctx context.Context) (int, error) {
	h, err := takeHold(ctx, w.env.Root, w.app)
	if err != nil {
		return 1, err
	}
	defer h.release()
	if err := w.ensureApp(ctx); err != nil {
		return 1, err
	}
	if err := failpoint.Reach(failpoint.GitStarts); err != nil {
		return 1, errors.Join(err, w.dropProvisional(ctx, h))
	}
	code, reached, err := w.runGit()
	if err == nil {
		err = failpoint.Reach(failpoint.GitEnded)
	}
	if err == nil {
		code, err = w.conclude(ctx, code, reached)
	}
	return code, errors.Join(err, w.dropProvisional(ctx, h))
}

// ensureApp creates the app on its first push.
func (w *wrapper) ensureApp(ctx context.Context) error {
	_, err := w.srv.Load(w.app)
	var none *app.NoAppError
	if !errors.As(err, &none) {
		return err
	}
	set, err := w.srv.Settings()
	if err != nil {
		return err
	}
	if set.NoAutoCreate {
		return &noAutoCreateError{w.app}
	}
	err = w.srv.Create(ctx, w.app, true)
	if _, other := w.srv.Load(w.app); other == nil {
		return nil // by this push, or by another one at the same time
	}
	return err
}

// noAutoCreateError has Dokku's own words, which scripts look for.
type noAutoCreateError struct{ app string }

func (e *noAutoCreateError) Error() string {
	return "App auto-creation disabled.\nCreate it first: apps:create " + e.app
}

// runGit runs git receive-pack to its end and returns its exit code and how far
// the hooks got.
func (w *wrapper) runGit() (code int, reached mark, err error) {
	// The kernel tells git of this process's end when the thread ends that has
	// started it (PR_SET_PDEATHSIG), so that thread has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g, err := startGit(filepath.Join(w.env.Root, w.app), w.env.Stdin, w.out, w.errs)
	if err != nil {
		return 1, markNone, err
	}
	select {
	case <-g.exited:
	case <-w.gone:
		// Pre-receive has accepted: git is moving the ref, or has. Signalling it
		// now could only leave a lock file behind.
		if k := g.marks.reached(); k == markNone || k == markBegun {
			g.terminate()
		}
		<-g.exited
	}
	code = g.wait()
	return code, g.marks.reached(), nil
}

// conclude carries out what git has decided, unless the hooks have.
func (w *wrapper) conclude(ctx context.Context, code int, reached mark) (int, error) {
	switch reached {
	case markRejected, markSettled:
		return code, nil
	case markFailed:
		return 1, nil
	case markNone:
		if code == 0 {
			w.upToDate()
		}
		return code, nil
	}
	// A hook was killed, or git refused what pre-receive had accepted, or moved
	// the ref and was killed before post-receive.
	if err := w.srv.Reconcile(context.WithoutCancel(ctx), w.app, w.log); err != nil {
		return 1, fmt.Errorf("cannot bring %s to what was pushed: %w\nThe agent keeps trying; ps:report %[1]s tells how far it is", w.app, err)
	}
	return code, nil
}

// upToDate says what a push of nothing new leads to: git runs no hook for it.
func (w *wrapper) upToDate() {
	a, err := w.srv.Load(w.app)
	switch {
	case err != nil || a.State.Provisional:
	case !a.Deployed():
		w.log.Step("Nothing new was pushed, and %s has not been deployed yet", w.app)
	case a.State.Stopped:
		w.log.Step("Nothing new was pushed: %s is stopped, at %s", w.app, describe(a.Current))
		w.log.Detail("To start it: ps:start %s", w.app)
	default:
		w.log.Step("Nothing new was pushed: %s serves %s", w.app, describe(a.Current))
		w.log.Detail("To build and start it again: ps:rebuild %s", w.app)
	}
}

func describe(r *app.Release) string {
	return fmt.Sprintf("v%d (%s)", r.Number, r.Revision[:min(7, len(r.Revision))])
}

// dropProvisional takes away the app that this push has made if nothing was
// accepted. A crash before leaves an app without a ref, which the next push to
// it uses or takes away, and so does the agent.
func (w *wrapper) dropProvisional(ctx context.Context, h *hold) error {
	a, err := w.srv.Load(w.app)
	if err != nil || !a.State.Provisional || !h.alone() {
		return nil
	}
	_, err = w.srv.DropProvisional(context.WithoutCancel(ctx), w.app, w.log)
	return err
}
