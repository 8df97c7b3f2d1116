package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dokku/agent/failpoint"
)

// AttemptResult is the outcome of one attempt: the last answer in its window.
type AttemptResult struct {
	Attempt int           // 1-based
	Status  int           // of the HTTP answer; 0: none
	Latency time.Duration // of the last try
	Err     error         // nil: it passed
}

// String is "500 in 3ms: ..." or the error.
func (r AttemptResult) String() string {
	if r.Status != 0 && r.Err != nil {
		return fmt.Sprintf("%d in %s: %v", r.Status, duration(r.Latency), r.Err)
	}
	if r.Err != nil {
		return r.Err.Error()
	}
	if r.Status != 0 {
		return fmt.Sprintf("%d in %s", r.Status, duration(r.Latency))
	}
	return "in " + duration(r.Latency)
}

// probe is one check of one target. Its state is guarded by gate.mu.
type probe struct {
	gate   *gate
	target Target
	check  Check
	window *window // nil for checks without attempts

	passed   bool
	failed   bool // also a check that only warns
	failure  *Failure
	since    time.Time     // of the try in flight; zero: none
	last     AttemptResult // of the last try that ended
	attempts []AttemptResult
}

// run returns nil once the check has passed, or the gate has failed elsewhere.
func (p *probe) run(ctx context.Context) error {
	switch {
	case p.check.Kind == Uptime:
		return p.runUptime(ctx)
	case p.check.byDefault():
		return p.runDefault(ctx)
	}
	if p.check.Kind == Command && !sleep(ctx, p.check.InitialDelay) {
		return nil
	}
	retry, most := firstRetry, lastRetry
	if p.check.Kind == Command {
		retry, most = lastRetry, min(max(p.check.Wait, lastRetry), slowestRetry)
	}
	for {
		r := p.try(ctx)
		if r.Err == nil {
			p.pass(r)
			return nil
		}
		select {
		case <-ctx.Done():
			return p.stop()
		case <-p.window.over:
			return p.fail(r)
		case <-time.After(retry):
		}
		// Both may be ready at once, and a budget is not overdrawn.
		if closed(p.window.over) {
			return p.fail(r)
		}
		retry = min(retry*3/2, most)
	}
}

// stop ends the check because the gate has failed elsewhere. A check whose own budget
// ended at the same moment has failed too.
func (p *probe) stop() error {
	if !closed(p.window.over) {
		return nil
	}
	return p.fail(p.attempts[len(p.attempts)-1])
}

// try makes one request, connection or command, within its timeout.
func (p *probe) try(ctx context.Context) AttemptResult {
	began := time.Now()
	p.set(func() { p.since = began })
	inner, cancel := context.WithTimeout(ctx, p.check.Timeout)
	defer cancel()
	r := AttemptResult{Err: failpoint.Reach(failpoint.CheckAttempt)}
	switch {
	case r.Err != nil:
	case p.check.Kind == HTTP:
		r.Status, r.Err = p.request(inner)
	case p.check.Kind == Command:
		r.Err = p.command(inner)
	default:
		r.Err = p.connect(inner)
	}
	r.Latency = time.Since(began)
	if r.Err != nil && inner.Err() == context.DeadlineExceeded {
		r.Err = timeoutError(p.check.Timeout)
	}
	if ctx.Err() == nil || r.Err == nil {
		p.set(func() { p.since, p.last = time.Time{}, r })
	}
	return r
}

func (p *probe) set(f func()) {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	f()
}

func (p *probe) pass(r AttemptResult) {
	p.set(func() {
		p.passed = true
		p.gate.log.Detail("%-48s %s", p.title(), r)
	})
}

// fail ends the check after its budget: with a failure, or for a check that only
// warns with a line.
func (p *probe) fail(r AttemptResult) error {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if n := len(p.attempts); n > 0 {
		// A try that was in flight when its window closed has its answer now.
		r.Attempt = p.attempts[n-1].Attempt
		p.attempts[n-1] = r
	}
	p.failed = true
	if p.check.Warn {
		p.passed, p.gate.unproven = true, true
		p.gate.log.Warn("%s: %s, which is accepted (warn)", p.title(), r)
		return nil
	}
	p.failure = &Failure{Target: p.target, Check: p.check, Attempts: p.attempts, Reason: r.String()}
	return p.failure
}

// runUptime passes once the process has been up for long enough. The watcher reports a
// process that ends before.
func (p *probe) runUptime(ctx context.Context) error {
	if !sleep(ctx, time.Until(p.target.Started.Add(p.check.Uptime))) {
		return nil
	}
	p.set(func() {
		p.passed = true
		p.gate.log.Detail("%s", p.title())
	})
	return nil
}

// runDefault passes a web process at its first connection. One that does not accept any
// in time fails, or is accepted with a warning where the app does not require it.
func (p *probe) runDefault(ctx context.Context) error {
	deadline := p.target.Started.Add(p.check.Wait)
	for retry := firstRetry; ctx.Err() == nil; retry = min(retry*3/2, lastRetry) {
		limited, cancel := context.WithDeadline(ctx, later(deadline, time.Now().Add(lastRetry)))
		r := p.try(limited)
		cancel()
		if r.Err == nil {
			// Of a process that has run for long, only the answer is new.
			p.pass(AttemptResult{Latency: time.Since(later(p.target.Started, p.gate.start))})
			return nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return p.silent(ctx, r)
		}
		sleep(ctx, min(retry, left))
	}
	return nil
}

// silent ends the default check of a process that does not listen.
func (p *probe) silent(ctx context.Context, r AttemptResult) error {
	found := p.gate.sockets(ctx, p.target.ID)
	if ctx.Err() != nil {
		return nil
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if !p.gate.plan.Settings.RequireListening {
		p.passed, p.gate.unproven = true, true
		p.gate.log.Warn("%s is up but does not accept connections on port %d after %s: %s",
			p.target.Name, p.port(), duration(time.Since(p.target.Started)), found.state(p.port()))
		return nil
	}
	p.failed = true
	r.Attempt = 1
	p.failure = &Failure{Target: p.target, Check: p.check, Attempts: []AttemptResult{r}, silent: true, listening: found,
		Reason: fmt.Sprintf("does not accept connections on port %d after %s: %s",
			p.port(), duration(time.Since(p.target.Started)), found.state(p.port()))}
	return p.failure
}

// title is how a line about the check begins: web.1 http://localhost/ => "Welcome"
func (p *probe) title() string { return title(p.target, p.check) }

func title(t Target, c Check) string {
	if c.Kind == Listening && c.Port == 0 {
		c.Port = t.Port
	}
	return t.Name + " " + c.String()
}

func (p *probe) port() int { return cmp.Or(p.check.Port, p.target.Port) }

// results returns the attempts and the unfinished one; gate.mu is held.
func (p *probe) results() []AttemptResult {
	list := p.attempts
	if r := p.current(len(list) + 1); r.Err != nil {
		list = append(list, r)
	}
	return list
}

// current returns the outcome of an attempt so far; gate.mu is held.
func (p *probe) current(attempt int) AttemptResult {
	r := p.last
	switch flight := time.Since(p.since); {
	case p.since.IsZero() && r.Err == nil:
		r = AttemptResult{Err: errors.New("not tried yet")}
	case !p.since.IsZero() && (r.Err == nil || flight >= time.Second):
		r = AttemptResult{Latency: flight, Err: fmt.Errorf("no answer yet after %s", duration(flight))}
	}
	r.Attempt = attempt
	return r
}

// command runs the check's command inside the container.
func (p *probe) command(ctx context.Context) error {
	if p.gate.plan.Exec == nil {
		return fmt.Errorf("commands cannot be run here")
	}
	output, code, err := p.gate.plan.Exec.Exec(ctx, p.target.ID, p.check.Command)
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", p.check.Command[0], err)
	}
	if code == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	last := lines[len(lines)-1]
	if last == "" {
		return fmt.Errorf("exit code %d", code)
	}
	return fmt.Errorf("exit code %d: %s", code, clip(last))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
