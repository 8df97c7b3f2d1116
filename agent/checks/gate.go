package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dokku/agent/event"
)

const (
	// lookEvery is how often a process is looked at while the gate is open.
	lookEvery = 200 * time.Millisecond
	// lookFor bounds one look, and how long the engine may fail to answer.
	lookFor = 15 * time.Second
	// firstRetry and lastRetry bound the pause between two probes.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 250 * time.Millisecond
	// slowestRetry bounds the pause between two runs of a command.
	slowestRetry = 10 * time.Second
)

// Gate returns nil once every target has passed the checks of its type and none
// has ended. It returns a *Failure for a process that did not pass, ctx's error when
// the deploy was cancelled, and other errors where a process could not be looked at. It
// prints the checks that pass and each attempt that does not. checks:run makes the same
// call on running processes.
func Gate(ctx context.Context, plan Plan, targets []Target, watch Observer, log event.Log) error {
	var probes []*probe
	g := &gate{plan: plan, watch: watch, log: log, start: time.Now()}
	for _, t := range targets {
		if t.Started.IsZero() {
			t.Started = g.start
		}
		for _, c := range plan.Checks[t.Type] {
			probes = append(probes, &probe{gate: g, target: t, check: c})
		}
	}
	if plan.Skipped != "" {
		log.Step("Skipping pre-flight checks: %s", plan.Skipped)
	}
	if len(probes) == 0 {
		return nil
	}
	log.Step("Running pre-flight checks: %s", plan.Summary(targets))
	if err := g.run(ctx, probes, checked(plan, targets)); err != nil {
		return err
	}
	if !g.unproven {
		log.Step("All checks successful!")
	}
	return nil
}

// checked returns the targets that have checks: the others are not watched.
func checked(plan Plan, targets []Target) []Target {
	var list []Target
	for _, t := range targets {
		if len(plan.Checks[t.Type]) > 0 {
			list = append(list, t)
		}
	}
	return list
}

// gate is one run of Gate.
type gate struct {
	plan  Plan
	watch Observer
	log   event.Log
	start time.Time

	// mu keeps lines that belong together together, and guards the state of the
	// probes and unproven.
	mu sync.Mutex
	// unproven: a process was accepted although a check of it did not pass.
	unproven bool
}

// run owns all goroutines: it returns after the last one has.
func (g *gate) run(ctx context.Context, probes []*probe, targets []Target) error {
	inner, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	attempts, settled := context.WithCancel(inner)
	defer settled()
	defer g.log.BusyWith(func() string { return g.doing(probes) })()
	var checks, helpers sync.WaitGroup
	for _, w := range windows(g, probes) {
		helpers.Go(func() { w.run(attempts) })
	}
	helpers.Go(func() { g.countDown(attempts, probes) })
	passed := make(chan struct{})
	for _, t := range targets {
		helpers.Go(func() {
			if err := g.watchTarget(inner, t, passed); err != nil {
				fail(err)
			}
		})
	}
	for _, p := range probes {
		checks.Go(func() {
			if err := p.run(inner); err != nil {
				fail(err)
			}
		})
	}
	checks.Wait()
	settled()
	close(passed)
	helpers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	g.onFailure(ctx, probes)
	err := context.Cause(inner)
	var failure *Failure
	if errors.As(err, &failure) {
		return g.complete(ctx, failure, probes)
	}
	return err
}

// doing names the processes that are being checked; "" where countDown does.
func (g *gate) doing(probes []*probe) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for _, p := range probes {
		if !p.passed && p.failure == nil && p.check.Kind != Uptime && !slices.Contains(names, p.target.Name) {
			names = append(names, p.target.Name)
		}
	}
	if names == nil {
		return ""
	}
	return "checking " + strings.Join(names, " ")
}

// countEvery is how often the rest of a long wait is printed, after the first time.
const countEvery = 10 * time.Second

// countDown prints which processes only have to stay up, and again and again for how
// much longer: a push that prints nothing looks like one that hangs.
func (g *gate) countDown(ctx context.Context, probes []*probe) {
	var names []string
	var end time.Time
	for _, p := range probes {
		if p.check.Kind == Uptime {
			names = append(names, p.target.Name)
			end = later(end, p.target.Started.Add(p.check.Uptime))
		}
	}
	say, pause := g.log.Detail, event.AliveFirst
	for left := time.Until(end); left > quiet; left = time.Until(end) {
		g.mu.Lock()
		say("%s: %s left to stay up", strings.Join(names, " "), duration(left.Round(time.Second)))
		g.mu.Unlock()
		if !sleep(ctx, pause) {
			return
		}
		say, pause = g.log.Alive, countEvery
	}
}

// onFailure runs the onFailure commands of failed checks and prints their output. It
// does not change the outcome.
func (g *gate) onFailure(ctx context.Context, probes []*probe) {
	for _, p := range probes {
		if !p.failed || len(p.check.OnFailure) == 0 || g.plan.Exec == nil {
			continue
		}
		g.log.Step("Running onFailure command in %s: %s", p.target.Name, strings.Join(p.check.OnFailure, " "))
		limited, cancel := context.WithTimeout(ctx, p.check.Timeout)
		output, code, err := g.plan.Exec.Exec(limited, p.target.ID, p.check.OnFailure)
		cancel()
		for line := range strings.Lines(string(output)) {
			g.log.Output(strings.TrimRight(line, "\r\n"))
		}
		switch {
		case err != nil:
			g.log.Warn("onFailure command: %s", err)
		case code != 0:
			g.log.Warn("onFailure command: exit code %d", code)
		}
	}
}

// watchTarget looks at a process until all checks have passed, and once more
// after that. A look that fails is repeated.
func (g *gate) watchTarget(ctx context.Context, t Target, passed <-chan struct{}) error {
	for answered := time.Now(); ; {
		again := passed
		if closed(passed) {
			again = nil
		}
		in, err := g.look(ctx, t.ID)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			answered = time.Now()
			if reason := ended(t, in); reason != "" {
				return &Failure{Target: t, Process: in, Reason: reason, ended: true}
			}
			if again == nil {
				return nil
			}
		case time.Since(answered) >= lookFor:
			return fmt.Errorf("cannot look at %s: %w; is the engine running?", t.Name, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		case <-time.After(lookEvery):
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (g *gate) look(ctx context.Context, id string) (Process, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	return g.watch.Process(ctx, id)
}

// another reports whether the process has another container than the target, which had been
// restarted before: a swarm remembers the last few restarts alone, so their number may stay.
func (t Target) another(in Process) bool {
	return t.Restarts > 0 && !t.Created.IsZero() && in.Created.After(t.Created)
}

// ended describes the end of a process; "" if it has not ended.
func ended(t Target, in Process) string {
	lived := ""
	if in.Finished.After(t.Started) {
		lived = " after " + duration(in.Finished.Sub(t.Started))
	}
	switch {
	case in.OOMKilled:
		return "ran out of memory" + lived
	case in.Restarts > t.Restarts, in.Status == StatusRestarting, t.another(in):
		return fmt.Sprintf("exited with code %d and was restarted", in.ExitCode)
	case in.Status == StatusExited, in.Status == StatusDead:
		return fmt.Sprintf("exited with code %d%s", in.ExitCode, lived)
	case in.Status == StatusRemoving:
		return "was removed"
	case in.Status == StatusPaused:
		return "is paused"
	case in.Status == StatusLost:
		return "is on a node that does not answer"
	}
	return ""
}

// complete adds to the first failure the other failures so far and the present state of
// the process.
func (g *gate) complete(ctx context.Context, f *Failure, probes []*probe) error {
	if !f.ended {
		if in, err := g.look(ctx, f.Target.ID); err == nil {
			f.Process = in
		}
		if !f.silent {
			f.listening = g.sockets(ctx, f.Target.ID)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range probes {
		if p.failure != nil && p.failure != f {
			f.Also = append(f.Also, p.failure)
		}
		if f.ended && p.target.Name == f.Target.Name && p.failure == nil && !p.passed && f.Check.byDefault() {
			f.Check, f.Attempts = p.check, p.results()
		}
	}
	f.Suggestion = suggest(f, g.plan.App)
	return f
}

// sleep waits, and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
