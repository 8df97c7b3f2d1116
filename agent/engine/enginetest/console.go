package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
)

func logs(t *testing.T, r *run) {
	a := r.app(t)
	var want strings.Builder
	var lines []string
	for n := range 100 {
		lines = append(lines, fmt.Sprintf("line %d", n))
		fmt.Fprintf(&want, "line %d\n", n)
	}
	i, err := a.Host.Start(a.ctx, a.spec(1, Program{Output: lines, Exits: true}))
	a.ok(err)
	_, err = a.Host.Wait(a.ctx, i.ID)
	a.ok(err)
	equal(t, "log", a.log(i.ID, engine.LogOptions{}), want.String())
	equal(t, "tail", a.log(i.ID, engine.LogOptions{Tail: 2}), "line 98\nline 99\n")
	equal(t, "log of an ended process, followed", a.log(i.ID, engine.LogOptions{Tail: 1, Follow: true}), "line 99\n")

	stamped := a.log(i.ID, engine.LogOptions{Tail: 1, Timestamps: true})
	stamp, text, _ := strings.Cut(stamped, " ")
	equal(t, "text after the time", text, "line 99\n")
	if at, err := time.Parse(time.RFC3339Nano, stamp); err != nil || time.Since(at) > time.Hour {
		t.Errorf("time %q: %v", stamp, err)
	}
	err = a.Host.Logs(a.ctx, a.name+".missing", engine.LogOptions{}, io.Discard)
	a.fails(err, engine.ErrNoContainer, a.name+".missing")
}

// firstProcess: the command is process 1 where there is no init, whether a client is
// attached or not.
func firstProcess(t *testing.T, r *run) {
	a := r.app(t)
	for n, want := range map[int]string{1: "is not process 1\n", 2: "is process 1\n"} {
		s := a.spec(n, Program{PID: true, Exits: true})
		s.NoInit = n == 2
		i, err := a.Host.Start(a.ctx, s)
		a.ok(err)
		_, err = a.Host.Wait(a.ctx, i.ID)
		a.ok(err)
		equal(t, "log", a.log(i.ID, engine.LogOptions{}), want)

		s.Kind, s.Name = engine.KindRun, s.Name+".run"
		var out bytes.Buffer
		_, err = a.Host.RunAttached(a.ctx, s, engine.Streams{Stdout: &out})
		a.ok(err)
		equal(t, "output", out.String(), want)
	}
}

func followLogs(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{OnStop: []string{"bye"}}))
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	err := a.Host.Logs(ctx, i.ID, engine.LogOptions{Follow: true}, writer(func([]byte) { cancel() }))
	a.fails(err, context.Canceled)

	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- a.Host.Logs(a.ctx, i.ID, engine.LogOptions{Follow: true}, in)
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	lines.Scan()
	equal(t, "first line", lines.Text(), "ready")
	a.stop(i.ID)
	lines.Scan()
	equal(t, "line at the end", lines.Text(), "bye")
	equal(t, "more lines", lines.Scan(), false)
	a.ok(<-ended)
}

func wait(t *testing.T, r *run) {
	a := r.app(t)
	i, err := a.Host.Start(a.ctx, a.spec(1, Program{Exits: true, Code: 42}))
	a.ok(err)
	for range 2 {
		last, err := a.Host.Wait(a.ctx, i.ID)
		a.ok(err)
		equal(t, "exit code", last.ExitCode, 42)
		equal(t, "last state", last, a.instance(i.ID))
	}
	running := a.start(a.spec(2, Program{}))
	ctx, cancel := context.WithTimeout(a.ctx, 50*time.Millisecond)
	defer cancel()
	_, err = a.Host.Wait(ctx, running.ID)
	a.fails(err, context.DeadlineExceeded)
}

func waitRemoved(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{}))
	ended := make(chan error, 1)
	go func() {
		last, err := a.Host.Wait(a.ctx, i.ID)
		if err == nil && (last.ID != i.ID || last.ExitCode != 137) {
			err = fmt.Errorf("last state %+v", last)
		}
		ended <- err
	}()
	// Whether Wait has begun by now cannot be seen; both orders are right.
	a.remove(engine.Container, i.ID)
	if err := <-ended; err != nil {
		a.fails(err, engine.ErrNoContainer)
	}
}

func lookInside(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{Ports: []int{8080, 80}, OnStop: []string{"bye"}}))
	sockets, err := a.Host.Listening(a.ctx, i.ID)
	a.ok(err)
	var listening []string
	for _, s := range sockets {
		where := "anywhere"
		if s.Addr().IsLoopback() {
			where = "loopback"
		}
		listening = append(listening, fmt.Sprint(where, ":", s.Port()))
	}
	equal(t, "sockets", strings.Join(listening, " "), "anywhere:80 loopback:81 anywhere:8080 loopback:8081")

	output, exit, err := a.Host.Exec(a.ctx, i.ID, []string{"echo", "hello"})
	a.ok(err)
	equal(t, "output", string(output), "hello\n")
	equal(t, "exit code", exit, 0)
	_, exit, err = a.Host.Exec(a.ctx, i.ID, []string{"false"})
	a.ok(err)
	equal(t, "exit code of false", exit, 1)

	titles, rows, err := a.Host.Processes(a.ctx, i.ID, "auxwww")
	a.ok(err)
	equal(t, "first title", titles[0], "USER")
	if len(rows) == 0 || len(rows[0]) != len(titles) {
		t.Errorf("rows %q do not match titles %q", rows, titles)
	}

	a.stop(i.ID)
	_, err = a.Host.Listening(a.ctx, i.ID)
	a.fails(err, engine.ErrNotRunning)
	_, _, err = a.Host.Exec(a.ctx, i.ID, []string{"true"})
	a.fails(err, engine.ErrNotRunning)
	_, _, err = a.Host.Processes(a.ctx, i.ID, "")
	a.fails(err, engine.ErrNotRunning)
	_, err = a.Host.Listening(a.ctx, a.name+".missing")
	a.fails(err, engine.ErrNoContainer)
}

func (a *app) once(p Program) engine.Spec {
	s := a.spec(1, p)
	s.Kind, s.Type, s.Index = engine.KindRelease, "release", 1
	s.Name, s.RestartPolicy = a.name+".release.1", "always"
	return s
}

func runOnce(t *testing.T, r *run) {
	a := r.app(t)
	var output bytes.Buffer
	last, err := engine.RunOnce(a.ctx, a.Host, a.once(Program{Output: []string{"one", "two"}, Exits: true}), &output)
	a.ok(err)
	equal(t, "exit code", last.ExitCode, 0)
	equal(t, "output", output.String(), "one\ntwo\n")
	a.instances()
}

func runOnceFails(t *testing.T, r *run) {
	a := r.app(t)
	var output bytes.Buffer
	last, err := engine.RunOnce(a.ctx, a.Host, a.once(Program{Output: []string{"no"}, Exits: true, Code: 9}), &output)
	a.ok(err)
	equal(t, "exit code", last.ExitCode, 9)
	equal(t, "output", output.String(), "no\n")
	a.instances()
}

func runOnceCancel(t *testing.T, r *run) {
	a := r.app(t)
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	_, err := engine.RunOnce(ctx, a.Host, a.once(Program{}), writer(func([]byte) { cancel() }))
	a.fails(err, context.Canceled, "the release command of app "+a.name)
	a.instances()
}

// watch returns the engine's events after the first "connected".
func (a *app) watch() <-chan engine.Event {
	a.t.Helper()
	ctx, cancel := context.WithCancel(a.ctx)
	events := make(chan engine.Event)
	ended := make(chan error, 1)
	go func() { ended <- a.Host.Watch(ctx, events) }()
	a.t.Cleanup(func() {
		cancel()
		a.fails(<-ended, context.Canceled)
	})
	equal(a.t, "first event", <-events, engine.Event{Action: engine.ActionConnected})
	return events
}

func watch(t *testing.T, r *run) {
	a := r.app(t)
	events, began := a.watch(), time.Now().Add(-time.Second)
	var codes []int
	s := a.spec(1, Program{OnStop: []string{"bye"}})
	i := a.start(s)
	a.stop(i.ID)
	_, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	a.remove(engine.Container, i.ID)
	for _, want := range []engine.Action{
		engine.ActionCreate, engine.ActionStart, engine.ActionDie, engine.ActionStart, engine.ActionDie, engine.ActionDestroy,
	} {
		got := a.next(events)
		if got.At.Before(began) || got.At.After(time.Now().Add(time.Second)) {
			t.Errorf("%s at %s, expected about %s", got.Action, got.At, began)
		}
		equal(t, "event", got, engine.Event{App: a.name, ID: i.ID, Action: want, At: got.At, ExitCode: got.ExitCode})
		if want == engine.ActionDie {
			codes = append(codes, got.ExitCode)
		}
	}
	equal(t, "exit codes", fmt.Sprint(codes), "[0 137]")
}

// next returns the next event of this app; other tests cause events, too.
func (a *app) next(events <-chan engine.Event) engine.Event {
	a.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-events:
			if e.App == a.name {
				return e
			}
		case <-late:
			a.t.Fatal("no event arrives")
		}
	}
}
