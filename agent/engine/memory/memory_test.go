package memory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
	"dokku/agent/engine/memory"
)

func TestMemory(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Fixture {
		m := memory.New()
		var programs programs
		m.Behave(programs.behaviour)
		return enginetest.Fixture{
			Host: m,
			Image: func(_ *testing.T, app string, tags ...string) string {
				return m.SetImage(app, engine.ImageInfo{Ports: []int{80, 8080}, Weight: engine.ImageWeight{Ports: 3}}, tags...).ID
			},
			RemoveVolume: func(*testing.T, string) {},
			Cache:        func(_ *testing.T, app, name string) { m.SetCache(app, name) },
			Scratch:      func(_ *testing.T, app, name string) { m.SetScratch(app, name) },
			Crash:        func(_ *testing.T, id string) { m.Exit(id, 3) },
			Command:      programs.command,
		}
	})
}

// programs gives each program a command that identifies its behaviour.
type programs struct{ byNumber sync.Map }

func (p *programs) command(program enginetest.Program) []string {
	for n := 0; ; n++ {
		number := strconv.Itoa(n)
		if _, taken := p.byNumber.LoadOrStore(number, program); !taken {
			return []string{"program", number}
		}
	}
}

func (p *programs) behaviour(s engine.Spec) memory.Behaviour {
	found, _ := p.byNumber.Load(s.Command[1])
	program, _ := found.(enginetest.Program)
	return memory.Behaviour{
		Output: program.Output, Exits: program.Exits && len(program.Errors) == 0, Code: program.Code,
		PID: program.PID, Dials: program.Dials, Writes: program.Writes, Reads: program.Reads, Allocates: program.Allocates,
		OnStop: program.OnStop, IgnoreStop: program.IgnoreStop, Ports: program.Ports, Loopback: oneAbove(program.Ports),
		Talk: talk(program),
		Exec: func(argv []string) (string, int) {
			if argv[0] == "echo" {
				return strings.Join(argv[1:], " ") + "\n", 0
			}
			return "", 1
		},
	}
}

// talk plays a program's part towards its caller, and that of the tests' commands in its
// container.
func talk(program enginetest.Program) func(context.Context, []string, engine.Streams) int {
	return func(ctx context.Context, argv []string, s engine.Streams) int {
		if argv[0] != "program" {
			number := strings.Join(argv, " ")
			switch {
			case strings.HasPrefix(number, "sh -c cat"):
				program = enginetest.Program{Cat: true, Errors: []string{"hello"}, Code: 9}
			case strings.HasPrefix(number, "sh -c trap"):
				program = enginetest.Program{Sizes: true}
			case number != "sleep 1234":
				return -1
			}
		}
		for _, line := range program.Errors {
			fmt.Fprintln(s.Stderr, line)
		}
		if program.Cat {
			io.Copy(s.Stdout, s.Stdin)
		}
		if program.Exits || program.Cat {
			return program.Code
		}
		for {
			select {
			case <-ctx.Done():
				return 129
			case size := <-s.Sizes:
				if program.Sizes {
					fmt.Fprintf(s.Stdout, "%d %d\r\n", size.Height, size.Width)
				}
			}
		}
	}
}

// onMemory returns an engine with the network and the image of app hello, and a function
// that starts its nth web process.
func onMemory(t *testing.T) (*memory.Engine, func(n int) engine.Spec) {
	t.Helper()
	m := memory.New()
	id := m.SetImage("hello", engine.ImageInfo{}, "dokku/hello:1").ID
	if _, err := m.Network(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	return m, func(n int) engine.Spec {
		return engine.Spec{
			App: "hello", Kind: engine.KindDeploy, Type: "web", Index: n, Release: 1, Attempt: "a",
			Name: fmt.Sprintf("hello.web.%d", n), Image: id, RestartPolicy: "on-failure:1",
		}
	}
}

func count(t *testing.T, m *memory.Engine) int {
	t.Helper()
	o, err := m.Observe(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	return len(o.Instances)
}

func TestMemoryFail(t *testing.T) {
	m, spec := onMemory(t)
	broken := errors.New("broken")
	var calls []string
	answer := broken
	m.Fail(func(call string, args ...any) error {
		calls = append(calls, call)
		if call != "Start" || args[0].(engine.Spec).Index != 1 {
			return nil
		}
		return answer
	})
	if _, err := m.Start(t.Context(), spec(1)); err != broken || count(t, m) != 0 {
		t.Errorf("got %v and %d containers", err, count(t, m))
	}
	answer = fmt.Errorf("%w: %w", broken, memory.ErrAnswerLost)
	if _, err := m.Start(t.Context(), spec(1)); !errors.Is(err, broken) || count(t, m) != 1 {
		t.Errorf("got %v and %d containers", err, count(t, m))
	}
	if _, err := m.Start(t.Context(), spec(2)); err != nil {
		t.Error(err)
	}
	if want := []string{"Start", "Observe", "Start", "Observe", "Start"}; !slices.Equal(calls, want) {
		t.Errorf("calls %v, want %v", calls, want)
	}
	m.Fail(nil)
	if _, err := m.Start(t.Context(), spec(1)); err != nil || count(t, m) != 2 {
		t.Errorf("got %v and %d containers", err, count(t, m))
	}
}

func TestMemoryIsDeterministic(t *testing.T) {
	id := func() string {
		m, spec := onMemory(t)
		i, err := m.Start(t.Context(), spec(1))
		if err != nil {
			t.Fatal(err)
		}
		return i.ID + i.Address.String()
	}
	if one, two := id(), id(); one != two {
		t.Errorf("got %s and %s", one, two)
	}
}

func TestMemoryExitAndRestart(t *testing.T) {
	m, spec := onMemory(t)
	m.Behave(func(s engine.Spec) memory.Behaviour {
		return memory.Behaviour{IgnoreStop: s.Index == 2}
	})
	ctx, cancel := context.WithCancel(t.Context())
	events, ended := make(chan engine.Event, 100), make(chan error, 1)
	go func() { ended <- m.Watch(ctx, events) }()
	<-events
	for n := range 2 {
		if _, err := m.Start(t.Context(), spec(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	state := func() string {
		o, err := m.Observe(t.Context(), "hello")
		if err != nil {
			t.Fatal(err)
		}
		one, two := o.Instances[0], o.Instances[1]
		return fmt.Sprintf("%s %d %d %s %d %d",
			one.Status, one.ExitCode, one.Restarts, two.Status, two.ExitCode, two.Restarts)
	}
	m.Exit("hello.web.1", 1)
	if got, want := state(), "running 0 1 running 0 0"; got != want {
		t.Errorf("after a failure: got %s, want %s", got, want)
	}
	m.Restart()
	if got, want := state(), "exited 0 1 running 0 1"; got != want {
		t.Errorf("after a restart: got %s, want %s", got, want)
	}
	m.Exit("hello.web.2", 7)
	if got, want := state(), "exited 0 1 exited 7 1"; got != want {
		t.Errorf("after the last restart: got %s, want %s", got, want)
	}
	var actions []string
	for range 11 {
		actions = append(actions, string((<-events).Action))
	}
	got := strings.Join(actions, " ")
	if want := "create start create start die start die die start connected die"; got != want {
		t.Errorf("events: got %s, want %s", got, want)
	}
	cancel()
	<-ended
}

// oneAbove returns the ports on which a Program listens on loopback.
func oneAbove(ports []int) (list []int) {
	for _, p := range ports {
		list = append(list, p+1)
	}
	return list
}
