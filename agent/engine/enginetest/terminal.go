package enginetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/engine"
)

// oneOff returns the Spec of a one-off container.
func (a *app) oneOff(p Program) engine.Spec {
	s := a.spec(4711, Program{Exits: true})
	s.Kind, s.Type, s.Name, s.Attempt = engine.KindRun, "run", a.name+".run.4711", random()
	s.Deadline, s.Client = time.Now().Add(time.Hour).UTC().Round(0), "boot/1/2"
	s.Command = a.Command(p)
	return s
}

func runAttached(t *testing.T, r *run) {
	a := r.app(t)
	s := a.oneOff(Program{Output: []string{"one"}, Errors: []string{"oops"}, Cat: true, Code: 3})
	var out, errs bytes.Buffer
	var started engine.Instance
	last, err := a.Host.RunAttached(a.ctx, s, engine.Streams{
		Stdin: strings.NewReader("two\nthree"), Stdout: &out, Stderr: &errs,
		Started: func(i engine.Instance) { started = i },
	})
	a.ok(err)
	equal(t, "standard output", out.String(), "one\ntwo\nthree")
	equal(t, "standard error", errs.String(), "oops\n")
	equal(t, "exit code", last.ExitCode, 3)
	equal(t, "last state", last, a.instance(last.ID))
	equal(t, "container that was started", started.ID, last.ID)
	equal(t, "kind", last.Kind, engine.KindRun)
	equal(t, "index", last.Index, 4711)
	equal(t, "client", last.Client, s.Client)
	equal(t, "attached", last.Attached, true)
	if !last.Deadline.Equal(s.Deadline) {
		t.Errorf("deadline %s, want %s", last.Deadline, s.Deadline)
	}
}

func runAttachedSilent(t *testing.T, r *run) {
	a := r.app(t)
	var out, errs bytes.Buffer
	last, err := a.Host.RunAttached(a.ctx, a.oneOff(Program{Output: []string{"one"}, Errors: []string{"oops"}, Exits: true, Code: 4}),
		engine.Streams{Stdout: &out, Stderr: &errs})
	a.ok(err)
	equal(t, "standard output", out.String(), "one\n")
	equal(t, "standard error", errs.String(), "oops\n")
	equal(t, "exit code", last.ExitCode, 4)

	// An end does not wait for input that never ends.
	out.Reset()
	never, open := io.Pipe()
	defer open.Close()
	s := a.oneOff(Program{Output: []string{"two"}, Exits: true})
	s.Name += "2"
	_, err = a.Host.RunAttached(a.ctx, s, engine.Streams{Stdin: never, Stdout: &out, Stderr: &errs})
	a.ok(err)
	equal(t, "standard output", out.String(), "two\n")
}

// screen is the output of a terminal.
type screen struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{}
}

func newScreen() *screen { return &screen{wrote: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

// shows waits until the text is there.
func (s *screen) shows(t *testing.T, want string) {
	t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		have := s.text.String()
		s.mu.Unlock()
		if strings.Contains(have, want) {
			return
		}
		select {
		case <-s.wrote:
		case <-late:
			t.Fatalf("the terminal never shows %q, but %q", want, have)
		}
	}
}

func runAttachedTTY(t *testing.T, r *run) {
	a := r.app(t)
	out, sizes := newScreen(), make(chan engine.Size)
	ctx, leave := context.WithCancel(a.ctx)
	defer leave()
	ended := make(chan error, 1)
	var last engine.Instance
	go func() {
		var err error
		last, err = a.Host.RunAttached(ctx, a.oneOff(Program{Errors: []string{"oops"}, Sizes: true}),
			engine.Streams{Stdout: out, Stderr: io.Discard, TTY: true, Sizes: sizes})
		ended <- err
	}()
	out.shows(t, "oops")
	sizes <- engine.Size{Width: 81, Height: 25}
	out.shows(t, "25 81\r\n")
	sizes <- engine.Size{Width: 101, Height: 31}
	out.shows(t, "31 101\r\n")
	leave()
	a.fails(<-ended, context.Canceled)
	equal(t, "status", a.instance(last.ID).Status, engine.StatusRunning)
	a.stop(last.ID)
	a.log(last.ID, engine.LogOptions{})

	// The end of the input ends the typing.
	s := a.oneOff(Program{Cat: true, Code: 5})
	s.Name += "2"
	last, err := a.Host.RunAttached(a.ctx, s, engine.Streams{
		Stdin: strings.NewReader("typed\nhalf"), Stdout: newScreen(), Stderr: io.Discard, TTY: true})
	a.ok(err)
	equal(t, "exit code", last.ExitCode, 5)
}

func runAttachedLeave(t *testing.T, r *run) {
	a := r.app(t)
	ctx, leave := context.WithCancel(a.ctx)
	defer leave()
	never, open := io.Pipe()
	defer open.Close()
	i, err := a.Host.RunAttached(ctx, a.oneOff(Program{}), engine.Streams{
		Stdin: never, Stdout: io.Discard, Stderr: io.Discard, Started: func(engine.Instance) { leave() }})
	a.fails(err, context.Canceled, "one-off container of app "+a.name)
	equal(t, "status", a.instance(i.ID).Status, engine.StatusRunning)

	s := a.oneOff(Program{})
	s.Name += "2"
	i, err = a.Host.RunAttached(ctx, s, engine.Streams{Stdout: io.Discard, Stderr: io.Discard})
	a.fails(err, context.Canceled)
	equal(t, "id without a container", i.ID, "")
	a.instances("run.4711")
}

func runAttachedTaken(t *testing.T, r *run) {
	a := r.app(t)
	s := a.oneOff(Program{Exits: true})
	streams := engine.Streams{Stdout: io.Discard, Stderr: io.Discard}
	_, err := a.Host.RunAttached(a.ctx, s, streams)
	a.ok(err)
	i, err := a.Host.RunAttached(a.ctx, s, streams)
	a.fails(err, engine.ErrNameInUse, s.Name)
	equal(t, "id of the name's holder", i.ID, "")
	a.instances("run.4711")
}

func runAttachedMissing(t *testing.T, r *run) {
	a := r.app(t)
	for n, tty := range []bool{false, true} {
		s := a.oneOff(Program{})
		s.Command, s.Name = []string{"nosuch", "x"}, s.Name+strconv.Itoa(n)
		var out, errs bytes.Buffer
		i, err := a.Host.RunAttached(a.ctx, s, engine.Streams{Stdout: &out, Stderr: &errs, TTY: tty})
		a.fails(err, engine.ErrNoCommand, "nosuch")
		equal(t, "output", out.String()+errs.String(), "")
		equal(t, "exit code", a.instance(i.ID).ExitCode, 127)
	}
}

// unheard is a writer whose reader has gone away.
type unheard struct{}

var errUnheard = errors.New("nobody reads this")

func (unheard) Write([]byte) (int, error) { return 0, errUnheard }

func runAttachedUnheard(t *testing.T, r *run) {
	a := r.app(t)
	i, err := a.Host.RunAttached(a.ctx, a.oneOff(Program{Output: []string{"one"}}), engine.Streams{Stdout: unheard{}, Stderr: unheard{}})
	a.fails(err, errUnheard)
	equal(t, "status", a.instance(i.ID).Status, engine.StatusRunning)
}

func execAttached(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{OnStop: []string{"bye"}}))
	var out, errs bytes.Buffer
	streams := engine.Streams{Stdin: strings.NewReader("two\nthree"), Stdout: &out, Stderr: &errs}
	exit, err := a.Host.ExecAttached(a.ctx, i.ID, []string{"sh", "-c", "cat; echo $WORD >&2; exit 9"}, []string{"WORD=hello"}, streams)
	a.ok(err)
	equal(t, "standard output", out.String(), "two\nthree")
	equal(t, "standard error", errs.String(), "hello\n")
	equal(t, "exit code", exit, 9)

	out.Reset()
	_, err = a.Host.ExecAttached(a.ctx, i.ID, []string{"nosuch"}, nil, streams)
	a.fails(err, engine.ErrNoCommand, "nosuch")
	equal(t, "output of a command that does not exist", out.String(), "")

	a.stop(i.ID)
	_, err = a.Host.ExecAttached(a.ctx, i.ID, []string{"true"}, nil, streams)
	a.fails(err, engine.ErrNotRunning)
	_, err = a.Host.ExecAttached(a.ctx, a.name+".missing", []string{"true"}, nil, streams)
	a.fails(err, engine.ErrNoContainer)
}

func execAttachedTTY(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{}))
	ctx, leave := context.WithCancel(a.ctx)
	defer leave()
	out, sizes, ended := newScreen(), make(chan engine.Size), make(chan error, 1)
	go func() {
		_, err := a.Host.ExecAttached(ctx, i.ID, []string{"sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 1000 & wait $!; done"},
			nil, engine.Streams{Stdout: out, Stderr: io.Discard, TTY: true, Sizes: sizes})
		ended <- err
	}()
	sizes <- engine.Size{Width: 81, Height: 25}
	out.shows(t, "25 81\r\n")
	sizes <- engine.Size{Width: 101, Height: 31}
	out.shows(t, "31 101\r\n")
	leave()
	a.fails(<-ended, context.Canceled)
}

// execAttachedLeave: a command ends when its caller goes away.
func execAttachedLeave(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{}))
	has := func() bool {
		_, rows, err := a.Host.Processes(a.ctx, i.ID, "auxwww")
		a.ok(err)
		for _, row := range rows {
			if strings.HasSuffix(strings.Join(row, " "), "sleep 1234") {
				return true
			}
		}
		return false
	}
	ctx, leave := context.WithCancel(a.ctx)
	defer leave()
	ended := make(chan error, 1)
	go func() {
		_, err := a.Host.ExecAttached(ctx, i.ID, []string{"sleep", "1234"}, nil, engine.Streams{Stdout: io.Discard, Stderr: io.Discard})
		ended <- err
	}()
	a.eventually("the command runs", has)
	leave()
	a.fails(<-ended, context.Canceled)
	a.eventually("the command has ended", func() bool { return !has() })
}

// eventually waits until ok holds.
func (a *app) eventually(what string, ok func() bool) {
	a.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			a.t.Fatalf("waited in vain until %s", what)
		}
	}
}
