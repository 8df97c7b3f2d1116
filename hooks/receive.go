package hooks

import (
	"cmp"
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
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/sources"
	"dokku/agent/store"
)

// A wrapper stands between sshd and git receive-pack for one push.
type wrapper struct {
	env    Env
	srv    Server
	app    string
	out    *relay // git's side of the protocol
	errs   *relay // messages for people
	log    event.Log
	term   *event.Terminal
	gone   chan struct{} // closed when the client is gone
	goOnce sync.Once
}

// ReceivePack serves a push by git on this server itself: commands that deploy without a
// client's push run it. path is the app's repository. It returns the exit code.
func ReceivePack(ctx context.Context, env Env, path string) int {
	name, err := AppName(path, env.Root)
	if err != nil {
		return cli.Report(ctx, event.Screen(env.Stderr), err)
	}
	return receivePack(ctx, env, name)
}

// receivePack serves a push to the app and returns the exit code.
//
// The client may go away, stall or be killed at any moment, and so may this process.
// Until pre-receive has accepted, a lost client cancels the push. After that the push
// is finished without the client: the ref moves, and it decides which release serves.
func receivePack(ctx context.Context, env Env, app string) int {
	srv, err := env.Open(env.Root)
	if err != nil {
		return cli.Report(ctx, env.Stderr, err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := newWrapper(ctx, env, srv, app)
	code, err := w.serve(ctx)
	if err != nil {
		code = cli.ExitCode(err)
		w.log.Error("%s", err)
	}
	w.close()
	return code
}

func newWrapper(ctx context.Context, env Env, srv Server, app string) *wrapper {
	w := &wrapper{env: env, srv: srv, app: app, gone: make(chan struct{})}
	w.out, w.errs = newRelay(env.Stdout, w.lose), newRelay(env.Stderr, w.lose)
	w.term = openTerminal(env, w.errs, w.errs, srv, app, "") // git tells the hooks alone of push options
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

// close waits until a connected client has read everything. No lock is held by now.
func (w *wrapper) close() {
	w.term.Close()
	w.out.flush(w.gone)
	w.errs.flush(w.gone)
}

// serve creates the app on its first push, runs git and makes sure that git's decision
// is carried out.
func (w *wrapper) serve(ctx context.Context) (int, error) {
	h, err := (&store.Store{Root: w.env.Root}).HoldPush(ctx, w.app)
	if err != nil {
		return 1, err
	}
	defer h.Release()
	defer func() { // names that are no apps leave nothing
		if none := new(app.NoAppError); errors.As(second(w.srv.Load(w.app)), &none) {
			h.Forget()
		}
	}()
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

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }

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
		return nil // another push may have created it at the same time
	}
	return err
}

// noAutoCreateError has Dokku's text, which scripts search for.
type noAutoCreateError struct{ app string }

func (e *noAutoCreateError) Error() string {
	return "App auto-creation disabled.\nCreate it first: dokku apps:create " + e.app
}

// runGit runs git receive-pack and returns its exit code and the last mark of the hooks.
func (w *wrapper) runGit() (code int, reached mark, err error) {
	// PR_SET_PDEATHSIG takes effect when the thread ends that started git, not the
	// process, so that thread has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set, _ := w.srv.Settings() // the hooks say what is wrong with them
	out := &tail{to: w.out}
	maxPack, err := sources.MaxPack(set)
	if err != nil {
		return 1, markNone, err
	}
	b, err := newBounds(set)
	if err != nil {
		return 1, markNone, err
	}
	defer b.close()
	g, err := startGit(filepath.Join(w.env.Root, w.app), maxPack, b, w.env.Stdin, out, w.errs)
	if err != nil {
		return 1, markNone, err
	}
	select {
	case <-g.exited:
	case <-w.gone:
		// After pre-receive has accepted, git moves the ref: a signal could only leave a
		// lock file behind.
		if k := g.marks.reached(); k == markNone || k == markBegun {
			g.terminate()
		}
		<-g.exited
	}
	code, reached = g.wait(), g.marks.reached()
	switch {
	case reached != markNone:
	case b.exceeded():
		err = tooLarge(w.app, b.memory)
	default:
		err = out.refusal(w.app, set)
	}
	return code, reached, err
}

// conclude carries out git's decision, unless the hooks have done so.
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
	// A hook was killed, git refused an accepted push, or git was killed between moving
	// the ref and post-receive.
	if err := w.srv.Reconcile(context.WithoutCancel(ctx), w.app, w.log); err != nil {
		return 1, fmt.Errorf("cannot deploy the accepted push to %s: %w\nThe agent will retry; to see its progress: dokku ps:report %[1]s", w.app, err)
	}
	if a, err := w.srv.Load(w.app); err == nil && deploy.KeptNote(a) != "" {
		w.log.Warn("%s", deploy.KeptNote(a))
	}
	return code, nil
}

// upToDate explains a push that sends nothing, for which git runs no hook. A push that
// the client itself rejects (it is no fast-forward) looks exactly the same from here, so
// each sentence has to be true beside git's rejection too.
func (w *wrapper) upToDate() {
	a, err := w.srv.Load(w.app)
	if err != nil || a.State.Provisional {
		return
	}
	set, err := w.srv.Settings()
	if err != nil {
		return
	}
	v := app.View{App: a, Settings: set}
	waiting, _ := deploy.Undeployed(v)
	var state, help string
	switch {
	case !a.Deployed():
		state = "has not been deployed yet"
		help = fmt.Sprintf("To deploy a branch: git push <dokku> BRANCH:%s", cmp.Or(v.DeployBranch(), "main"))
	case a.State.Stopped:
		state = "is stopped, at " + describe(a.Current)
		help = "To start it: dokku ps:start " + w.app
	default:
		state = "serves " + describe(a.Current)
		help = "If git says that everything is up-to-date, this builds and starts it again: dokku ps:rebuild " + w.app
	}
	if waiting != "" {
		help = fmt.Sprintf("%s was pushed before and is not deployed; to deploy it: dokku ps:rebuild %s", app.Short(waiting), w.app)
	}
	if tip, _ := deploy.RolledBack(v); tip != "" {
		help = fmt.Sprintf("%s is at %s, which was rolled back; to deploy it again: dokku ps:rebuild %s", v.DeployBranch(), app.Short(tip), w.app)
	}
	w.log.Step("Git sent nothing new: %s %s", w.app, state)
	w.log.Detail("%s", help)
}

func describe(r *app.Release) string {
	return fmt.Sprintf("v%d (%s)", r.Number, r.Short())
}

// dropProvisional removes the app that this push created if git accepted nothing and the
// push did not get past the validation. A crash before that leaves an app without a ref,
// which the next push uses or the agent removes.
func (w *wrapper) dropProvisional(ctx context.Context, h *store.Hold) error {
	a, err := w.srv.Load(w.app)
	if err != nil || !a.State.Provisional || !h.Alone() {
		return nil
	}
	_, err = w.srv.DropProvisional(context.WithoutCancel(ctx), w.app, w.log)
	return err
}
