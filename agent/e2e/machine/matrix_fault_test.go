package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/repo"
)

// A fault strikes at a point of an operation; recover cleans up after it.
type fault struct {
	name string
	// at matches the points at which the fault can strike.
	at *regexp.Regexp
	// strike runs before the call. Its error fails the call without an effect, unless
	// it is memory.ErrAnswerLost.
	strike func(r *rig, label string) error
	// kills: the process is gone and reports no outcome.
	kills bool
	// away: processes may end by themselves.
	away bool
	// deploys: it strikes deploys only.
	deploys bool
	// retires: the wait to retire takes a minute.
	retires bool
	recover func(r *rig, h history) error
}

var (
	changes = regexp.MustCompile(`^(file|build|move|proxy: (publish|withdraw)|engine: (Start|Rename|Stop|Remove|Network|Tag|Pull|Load|RunAttached|ExecAttached)\b)`)
	calls   = regexp.MustCompile(`^(engine|proxy|build)`)
	effects = regexp.MustCompile(`^(proxy: (publish|withdraw)|engine: (Start|Rename|Stop|Remove|Network|Tag|Pull|Load|RunAttached|ExecAttached)\b)`)
	every   = regexp.MustCompile(``)
)

var faults = []fault{
	{name: "killed before", at: changes, kills: true, strike: (*rig).die, recover: recovers},
	{name: "killed after", at: changes, kills: true, recover: recovers, strike: func(r *rig, label string) error {
		r.dying = true
		if strings.HasPrefix(label, "engine") {
			return memory.ErrAnswerLost
		}
		return nil
	}},
	{name: "fails", at: every, recover: recovers, strike: func(r *rig, label string) error {
		switch {
		case strings.HasPrefix(label, "file: create"):
			return syscall.ENOSPC
		case strings.HasPrefix(label, "file"):
			return syscall.EIO
		}
		return errors.New("it fails")
	}},
	{name: "answer lost", at: effects, recover: recovers, strike: func(*rig, string) error { return memory.ErrAnswerLost }},
	{name: "times out", at: calls, recover: recovers, strike: func(*rig, string) error { return context.DeadlineExceeded }},
	{name: "times out done", at: effects, recover: recovers, strike: func(*rig, string) error {
		return fmt.Errorf("%w: %w", memory.ErrAnswerLost, context.DeadlineExceeded)
	}},
	{name: "client gone", at: every, recover: recovers, strike: func(r *rig, _ string) error { r.cancel(); return nil }},
	{name: "cancelled", at: every, deploys: true, recover: recovers, strike: (*rig).cancelDeploy},
	{name: "engine restarts", at: every, away: true, strike: func(r *rig, _ string) error { r.engine.Restart(); return nil },
		recover: func(r *rig, h history) error {
			if err := r.look(true); err != nil {
				return fmt.Errorf("the agent, told that the engine is back: %w", err)
			}
			return recovers(r, h)
		}},
	{name: "proxy down", at: changes, strike: func(r *rig, _ string) error { r.down = true; return nil }, recover: proxyReturns},
	{name: "killed twice", at: changes, kills: true, strike: (*rig).die, recover: killedAgain},
	{name: "killed, then push", at: changes, kills: true, strike: (*rig).die, recover: thenPush},
	{name: "killed, then ps:scale", at: changes, kills: true, strike: (*rig).die, recover: thenScale},
	{name: "killed, then config:set", at: changes, kills: true, strike: (*rig).die, recover: thenConfig},
	{name: "killed, then apps:destroy", at: changes, kills: true, away: true, strike: (*rig).die, recover: thenDestroy},
	{name: "killed, a minute to retire", at: changes, kills: true, retires: true, strike: (*rig).die, recover: retiring},
	{name: "killed, a day later", at: changes, kills: true, retires: true, strike: (*rig).die, recover: aDayLater},
}

// cancelDeploy asks to cancel the deploy that is under way, as deploys:cancel does, and
// gives it the time to notice that.
func (r *rig) cancelDeploy(string) error {
	st := r.server.Env.Store
	d := cmp.Or(st.RunningDeploy("shop"), st.WaitingDeploy("shop"))
	if d == nil {
		return nil
	}
	err := st.AskCancel("shop", d.Number, byBea)
	r.mu.Unlock() // a goroutine that waits for a mutex stops the bubble's clock
	time.Sleep(time.Second)
	r.mu.Lock()
	return err
}

// deploying matches operations that are deploys, with a record of their own.
var deploying = regexp.MustCompile(`push|ps:rebuild|releases:rollback|git:from|git:load`)

// recovers runs the agent until nothing is left to do.
func recovers(r *rig, _ history) error {
	for n := range 4 {
		if err := r.look(false); err != nil {
			return fmt.Errorf("the agent's look %d: %w", n+1, err)
		}
	}
	return r.rest()
}

// killedAgain also kills the agent, at a point of its recovery that the seed chooses.
func killedAgain(r *rig, h history) error {
	r.mu.Lock()
	r.left = 1 + int(hash(r.seed, r.at)%12)
	r.mu.Unlock()
	if err := r.look(false); err != nil {
		r.holdLocks()
	}
	r.mu.Lock()
	r.left = 0
	r.mu.Unlock()
	r.on()
	return recovers(r, h)
}

// proxyReturns runs the agent once before the proxy is back. The agent has to record
// the work that it could not do.
func proxyReturns(r *rig, h history) error {
	err := r.look(false)
	app, oerr := r.only()
	if oerr != nil || app == "" {
		return errors.Join(oerr, recovers(r, h))
	}
	if p, perr := r.server.Env.Store.Problem(app); (err != nil) != (p != nil) || perr != nil {
		return fmt.Errorf("the agent ends with %w, and records %+v (%w)", err, p, perr)
	}
	r.mu.Lock()
	r.down = false
	r.mu.Unlock()
	return recovers(r, h)
}

// after runs another command instead of the agent, then the agent.
func after(r *rig, h history, do func(app string) error, done func(*app.App) bool) error {
	app, err := r.only()
	if err != nil || app == "" { // nobody asks for anything of an app that was not made
		return errors.Join(err, recovers(r, h))
	}
	if err := do(app); err != nil {
		return fmt.Errorf("what came then: %w", err)
	}
	a, err := r.server.Env.Store.Load(app)
	if err != nil {
		return err
	}
	if !done(a) {
		return fmt.Errorf("what came then is not done: %+v", a.State)
	}
	return recovers(r, h)
}

func thenPush(r *rig, h history) error {
	name, err := r.only()
	if err != nil || name == "" {
		return errors.Join(err, recovers(r, h))
	}
	old, err := repo.Ref(r.server.Env.Store.Dir(name), "refs/heads/main")
	if err != nil {
		return err
	}
	old = cmp.Or(old, deploy.ZeroID)
	next := h.one
	if old == h.one {
		next = h.two
	}
	return after(r, h, func(app string) error { return r.pushTo(context.Background(), app, old, next, event.Log{}) },
		func(a *app.App) bool { return a.Current.Revision == next })
}

func thenScale(r *rig, h history) error {
	web := 3
	return after(r, h, func(app string) error {
		if a, err := r.server.Env.Store.Load(app); err != nil || a.State.Stopped {
			web = 2 // a stopped app gets no new container, and keeps those it has
		}
		return r.server.Scale(context.Background(), app, map[string]int{"web": web}, false, event.Log{})
	}, func(a *app.App) bool { return a.State.Scale["web"] == web })
}

func thenConfig(r *rig, h history) error {
	return after(r, h, func(app string) error {
		return r.server.SetConfig(context.Background(), app, map[string]string{"Z": "1"}, nil, true, event.Log{})
	}, func(a *app.App) bool {
		return a.State.Config["Z"] == "1" && (a.State.Stopped || a.Current == nil || a.Current.Config["Z"] == "1")
	})
}

func thenDestroy(r *rig, _ history) error {
	app, err := r.only()
	if err != nil {
		return err
	}
	if app != "" {
		if err := r.server.Destroy(context.Background(), app, event.Log{}); err != nil {
			return fmt.Errorf("apps:destroy: %w", err)
		}
		if h, _, abandoned := r.server.Env.Store.Peek(app); abandoned {
			return fmt.Errorf("the lock of %s looks abandoned by %s, and nothing is left of what that one began", app, h)
		}
	}
	return r.gone()
}

// retiring runs the agent at once, while processes retire, and again after their time
// to retire.
func retiring(r *rig, h history) error {
	for range 2 {
		if err := r.look(false); err != nil {
			return err
		}
	}
	return aDayLater(r, h)
}

// aDayLater lets a day pass before the agent comes back, and another one before its
// next look.
func aDayLater(r *rig, h history) error {
	for range 2 {
		time.Sleep(24 * time.Hour) // the bubble's
		for range 2 {
			if err := r.look(false); err != nil {
				return err
			}
		}
	}
	return recovers(r, h)
}
