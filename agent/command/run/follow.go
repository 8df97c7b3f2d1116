package run

import (
	"context"
	"maps"
	"sync"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
)

const (
	// orderWindow is how long new lines are collected before they are printed in
	// the order of their times.
	orderWindow = 100 * time.Millisecond
	// lookInterval is how often -t looks for new processes.
	lookInterval = time.Second
	// reopened is how many lines of a log that ended and continues are read again, to
	// find the new ones.
	reopened = 1000
)

// follow prints new lines of the running processes, and of those that later deploys
// start, until ctx is done.
func (l *logReader) follow() error {
	ctx, cancel := context.WithCancel(l.Call.Ctx)
	lines := make(chan logLine, 256)
	failed := make(chan error, 1)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { failed <- l.watch(ctx, &wait, lines) })
	return l.order(ctx, lines, failed)
}

// order collects the lines of a window and prints them sorted.
func (l *logReader) order(ctx context.Context, lines <-chan logLine, failed <-chan error) error {
	var batch []logLine
	var due <-chan time.Time
	for {
		select {
		case line := <-lines:
			if batch = append(batch, line); due == nil {
				due = time.After(orderWindow)
			}
		case <-due:
			l.printLines(batch)
			batch, due = nil, nil
		case err := <-failed:
			l.printLines(batch)
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch opens the logs of new processes, and passes on why others have ended. It reads the
// app's state and ends, small files, and asks the engine only after the state has changed or
// a log has ended.
func (l *logReader) watch(ctx context.Context, wait *sync.WaitGroup, lines chan<- logLine) error {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	ended := make(chan string)
	open := map[string]bool{}
	app, stale := l.Call.App, true
	var instances []engine.Instance
	for {
		if stale {
			var err error
			if instances, err = l.instances(app); err != nil {
				return err
			}
			// The restart policy may start an ended container again.
			stale = false
			for _, i := range instances {
				if !open[i.ID] && (i.Running() || !l.wasRead(i.ID)) {
					open[i.ID] = true
					wait.Go(func() { l.stream(ctx, i, lines, ended) })
				}
				stale = stale || !open[i.ID]
			}
		}
		ends, err := l.ends.read(app, instances)
		if err != nil {
			return err
		}
		for _, line := range ends {
			if !pass(ctx, lines, line) {
				return ctx.Err()
			}
		}
		// At most once per tick: a log may end as soon as it is opened.
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case id := <-ended:
				delete(open, id)
				stale = true
			case <-tick.C:
				waiting = false
			}
		}
		now, err := l.Call.Server.Env.Store.Load(app.Name)
		if err != nil {
			return err
		}
		stale = stale || changed(app, now)
		app = now
	}
}

// changed reports whether the set of running processes may have changed.
func changed(before, now *app.App) bool {
	a, b := &before.State, &now.State
	return a.Current != b.Current || a.Stopped != b.Stopped || !maps.Equal(a.Scale, b.Scale)
}

// stream passes on the lines of one container until its log ends.
func (l *logReader) stream(ctx context.Context, i engine.Instance, lines chan<- logLine, ended chan<- string) {
	o := engine.LogOptions{Follow: true, Timestamps: true}
	if l.wasRead(i.ID) {
		o.Tail = reopened
	}
	// A log that cannot be read is opened again, like one that has ended.
	l.lines(ctx, i, o, func(line logLine) { pass(ctx, lines, line) })
	select {
	case ended <- i.ID:
	case <-ctx.Done():
	}
}

// pass reports whether the line was passed on before ctx ended.
func pass(ctx context.Context, lines chan<- logLine, line logLine) bool {
	select {
	case lines <- line:
		return true
	case <-ctx.Done():
		return false
	}
}
