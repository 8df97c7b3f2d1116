package hooks

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/cgroup"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/keys"
)

// TestMain makes the test binary the dokku binary: hooks are links to it, and
// the forced command of a key runs it.
func TestMain(m *testing.M) {
	grace = 2 * time.Second
	env := OS()
	env.Open = func(root string) (Server, error) {
		s, err := agent.Open(root)
		return &fakeServer{s}, err
	}
	env.Run = runFake
	ctx := context.Background()
	switch name := filepath.Base(os.Args[0]); {
	case name == "pre-receive":
		os.Exit(PreReceive(ctx, env))
	case name == "post-receive":
		os.Exit(PostReceive(ctx, env))
	case len(os.Args) > 1 && os.Args[1] == cgroup.RunCommand:
		fmt.Fprintln(os.Stderr, cgroup.Run(os.Args[2:]))
		os.Exit(1)
	case len(os.Args) > 2 && os.Args[1] == "serve": // with a PATH of the test's
		code, err := serve(ctx, env, request{service: "upload-pack", app: os.Args[2]})
		fmt.Fprintln(os.Stderr, code, err)
		os.Exit(code)
	case len(os.Args) >= 3 && os.Args[1] == "shell":
		env.Key, env.Rights = os.Args[2], os.Args[3:]
		os.Exit(Shell(ctx, env))
	}
	os.Exit(m.Run())
}

// runFake is the runner of dokku commands.
func runFake(_ context.Context, access *keys.Access, args []string) int {
	switch args[0] {
	case "env":
		env := os.Environ()
		sort.Strings(env)
		fmt.Println(strings.Join(env, "\n"))
	case "rights":
		fmt.Println(access.Grant)
	case "exit":
		return 7
	default:
		json.NewEncoder(os.Stdout).Encode(args)
	}
	return 0
}

// fakeServer is the deploy agent without engine and proxy: the two phases of a
// push ask the test what to do, everything else is real.
type fakeServer struct{ *agent.Server }

const socketName = "calls.sock"

// A message goes from a fake agent to the test.
type message struct {
	Method string
	App    string
	PID    int
	Refs   []deploy.Ref
	Why    string // the cause of a cancelled call
}

func (s *fakeServer) Prepare(ctx context.Context, p deploy.Push, log event.Log) error {
	log.Step("Preparing %s", p.App)
	return s.ask(ctx, message{Method: "Prepare", App: p.App, Refs: p.Refs})
}

func (s *fakeServer) Reconcile(ctx context.Context, app string, log event.Log) error {
	log.Step("Reconciling %s", app)
	return s.ask(ctx, message{Method: "Reconcile", App: app})
}

// ask reports a call to the test and follows its answers, a line at a time.
func (s *fakeServer) ask(ctx context.Context, m message) error {
	conn, err := net.Dial("unix", filepath.Join(s.Env.Store.Root, socketName))
	if err != nil {
		return err
	}
	defer conn.Close()
	m.PID = os.Getpid()
	out := json.NewEncoder(conn)
	if err := out.Encode(m); err != nil {
		return err
	}
	answers := make(chan string)
	go func() {
		defer close(answers)
		for in := bufio.NewScanner(conn); in.Scan(); {
			answers <- in.Text()
		}
	}()
	done := ctx.Done()
	for {
		select {
		case <-done:
			out.Encode(message{Method: "cancelled", Why: context.Cause(ctx).Error()})
			return ctx.Err()
		case a, ok := <-answers:
			verb, rest, _ := strings.Cut(a, " ")
			switch {
			case !ok:
				return errors.New("the test is over")
			case verb == "ok":
				out.Encode(message{Method: "done"})
				return nil
			case verb == "fail":
				return errors.New(rest)
			case verb == "flood":
				// Past the event log, which would leave lines out.
				os.Stdout.Write(bytes.Repeat([]byte(strings.Repeat("x", 79)+"\n"), 8<<20/80))
				out.Encode(message{Method: "flooded"})
			case verb == "hang": // like a hook that has a bug
				done = nil
				out.Encode(message{Method: "hanging"})
			}
		}
	}
}

// A call is the test's end of a question.
type call struct {
	message
	t    *testing.T
	conn net.Conn
	in   *json.Decoder
}

func (c *call) reply(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.conn, line); err != nil {
		c.t.Fatalf("cannot answer %s: %v", c.Method, err)
	}
}

// says waits for the next action of the fake agent, and returns it.
func (c *call) says(want string) (m message) {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(deadline))
	if err := c.in.Decode(&m); err != nil || m.Method != want {
		c.t.Fatalf("%s of process %d says %q (%v), want %q", c.Method, c.PID, m.Method, err, want)
	}
	return m
}
