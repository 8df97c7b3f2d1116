package checks

import (
	"context"
	"time"
)

// quiet is how long the first attempt goes on before it is announced: checks that pass
// at once print no attempts.
const quiet = time.Second

// schedule is when attempts begin and end. Checks with the same schedule share
// their windows.
type schedule struct {
	delay    time.Duration
	wait     time.Duration
	attempts int
	source   string
}

// window runs the attempts of a schedule.
type window struct {
	schedule
	gate   *gate
	probes []*probe
	// over is closed once the last attempt has ended and been printed; never when
	// the gate is settled earlier.
	over chan struct{}
}

// windows groups the probes by their schedules, in the order of the probes.
func windows(g *gate, probes []*probe) []*window {
	var list []*window
	by := map[schedule]*window{}
	for _, p := range probes {
		if p.check.byDefault() || p.check.Kind == Uptime {
			continue
		}
		s := schedule{p.check.InitialDelay, p.check.window(), p.check.Attempts, p.check.Source}
		if by[s] == nil {
			by[s] = &window{schedule: s, gate: g, over: make(chan struct{})}
			list = append(list, by[s])
		}
		p.window = by[s]
		by[s].probes = append(by[s].probes, p)
	}
	return list
}

// run prints each attempt once and closes over after the last one.
func (w *window) run(ctx context.Context) {
	for n := 1; n <= w.attempts; n++ {
		end := w.gate.start.Add(w.delay + time.Duration(n)*w.wait)
		announced := n > 1
		if n == 1 && time.Until(end) > quiet {
			if !w.sleep(ctx, time.Now().Add(quiet)) {
				return
			}
			w.gate.log.Step("Attempt %d/%d ...", n, w.attempts)
			announced = true
		}
		if !w.sleep(ctx, end) {
			return
		}
		w.close(n, announced)
	}
	close(w.over)
}

// sleep waits for a moment, and reports whether any probe is still open then.
func (w *window) sleep(ctx context.Context, until time.Time) bool {
	return sleep(ctx, time.Until(until)) && len(w.open()) > 0
}

func (w *window) open() []*probe {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	var list []*probe
	for _, p := range w.probes {
		if !p.passed && p.failure == nil {
			list = append(list, p)
		}
	}
	return list
}

// close ends an attempt: it prints the expected and the actual results, then announces
// the next attempt.
func (w *window) close(n int, announced bool) {
	open := w.open()
	g := w.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if !announced {
		g.log.Step("Attempt %d/%d ...", n, w.attempts)
	}
	g.log.Detail("%s expected result:", w.source)
	for _, p := range open {
		r := p.current(n)
		p.attempts = append(p.attempts, r)
		g.log.Detail("%-48s %s", p.title(), r)
	}
	g.log.Warn("Check attempt %d/%d failed.", n, w.attempts)
	if n < w.attempts {
		g.log.Step("Attempt %d/%d ...", n+1, w.attempts)
	}
}
