package run

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// fakeConsole has the logs of containers by id; a followed log goes on with
// what comes through its channel, and ends when that is closed.
type fakeConsole struct {
	engine.Prober
	logs map[string]string
	more map[string]chan string
}

func (f *fakeConsole) Logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	lines := strings.SplitAfter(f.logs[id], "\n")
	lines = lines[:len(lines)-1]
	if o.Tail > 0 && o.Tail < len(lines) {
		lines = lines[len(lines)-o.Tail:]
	}
	io.WriteString(w, strings.Join(lines, ""))
	if !o.Follow {
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text, open := <-f.more[id]:
			if !open {
				return nil
			}
			io.WriteString(w, text)
		}
	}
}

func instance(id, kind string, index int, status engine.Status) engine.Instance {
	return engine.Instance{ID: id, Type: kind, Index: index, Status: status}
}

// reader returns a log reader for the app hello of a new root.
func reader(t *testing.T, ctx context.Context, out io.Writer, console engine.Prober, find func() []engine.Instance) *logReader {
	root := t.TempDir()
	server, err := agent.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Create(ctx, "hello", false); err != nil {
		t.Fatal(err)
	}
	name, err := server.Load("hello")
	if err != nil {
		t.Fatal(err)
	}
	r := &cli.Runner{Env: cli.Env{Root: root, Stdout: out}, Server: server}
	return &logReader{
		Call: &cli.Call{Runner: r, Ctx: ctx, App: name}, console: console, read: map[string]time.Time{},
		ends: newEndReader(&cli.Call{Runner: r, Ctx: ctx, App: name}),
		find: func(context.Context, *app.App) ([]engine.Instance, error) { return find(), nil },
	}
}

// setState writes the state of the app hello.
func setState(t *testing.T, root string, st app.State) {
	t.Helper()
	data, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "hello", "dokku", "state.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLogsAreMergedByTime(t *testing.T) {
	console := &fakeConsole{logs: map[string]string{
		"a": "2026-11-22T10:00:00.000000001Z first\n2026-11-22T10:00:00.000000004Z \x1b[31mfourth\x1b[0m\r\n2026-11-22T10:00:09Z no end",
		"b": "2026-11-22T10:00:00.000000002Z second\n2026-11-22T10:00:00.000000003Z\n2026-11-22T10:00:00.000000005Z \x1b]0;title\x07fifth\x00\n",
		"c": "2026-11-22T09:00:00Z worker\n",
	}}
	console.logs["a"] += "\n"
	all := func() []engine.Instance {
		return []engine.Instance{instance("a", "web", 1, engine.StatusRunning), instance("b", "web", 2, engine.StatusExited),
			instance("c", "worker", 1, engine.StatusRunning)}
	}
	var out bytes.Buffer
	l := reader(t, t.Context(), &out, console, all)
	if err := l.history(100); err != nil {
		t.Fatal(err)
	}
	want := `2026-11-22T09:00:00Z app[worker.1]: worker
2026-11-22T10:00:00.000000001Z app[web.1]: first
2026-11-22T10:00:00.000000002Z app[web.2]: second
2026-11-22T10:00:00.000000003Z app[web.2]: 
2026-11-22T10:00:00.000000004Z app[web.1]: fourth
2026-11-22T10:00:00.000000005Z app[web.2]: fifth
2026-11-22T10:00:09Z app[web.1]: no end
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	for process, want := range map[string]string{"worker": "worker", "web.2": "fifth", "web": "fifth,no end"} {
		out.Reset()
		l := reader(t, t.Context(), &out, console, all)
		l.process = process
		if err := l.history(1); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for line := range strings.Lines(out.String()) {
			_, text, _ := strings.Cut(line, "]: ")
			texts = append(texts, strings.TrimSpace(text))
		}
		if got := strings.Join(texts, ","); got != want {
			t.Errorf("-n 1 -p %s: %q, want %q", process, got, want)
		}
	}
}

// TestNoHistory: with 0 lines, only what is written from now on is shown.
func TestNoHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		console := &fakeConsole{
			logs: map[string]string{"a": "2026-11-22T10:00:00Z older\n2026-11-22T10:00:01Z old\n", "b": ""},
			more: map[string]chan string{"a": make(chan string), "b": make(chan string)},
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := &lockedBuffer{}
		l := reader(t, ctx, out, console, func() []engine.Instance {
			return []engine.Instance{instance("a", "web", 1, engine.StatusRunning), instance("b", "web", 2, engine.StatusRunning)}
		})
		l.raw = true
		if err := l.history(0); err != nil {
			t.Fatal(err)
		}
		if got := out.take(); got != "" {
			t.Errorf("-n 0 prints %q", got)
		}
		done := make(chan error)
		go func() { done <- l.follow() }()
		console.more["a"] <- "2026-11-22T10:00:02Z new\x1b[2J\n"
		console.more["b"] <- "2026-11-22T10:00:03Z first\n"
		<-time.After(2 * orderWindow)
		synctest.Wait()
		if got := out.take(); got != "new\nfirst\n" {
			t.Errorf("-q -n 0 -t prints %q", got)
		}
		cancel()
		<-done
	})
}

func TestParseTail(t *testing.T) {
	for value, want := range map[string]int{"0": 0, "1": 1, "007": 7, "all": allLines} {
		if got, err := parseTail(value); got != want || err != nil {
			t.Errorf("--num %s is %d, %v", value, got, err)
		}
	}
}

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

func TestLogsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		console := &fakeConsole{
			logs: map[string]string{"a": "2026-11-22T10:00:00Z old\n", "b": ""},
			more: map[string]chan string{"a": make(chan string), "b": make(chan string)},
		}
		var mu sync.Mutex
		running := []engine.Instance{instance("a", "web", 1, engine.StatusRunning), instance("b", "web", 2, engine.StatusRunning)}
		find := func() []engine.Instance {
			mu.Lock()
			defer mu.Unlock()
			return running
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := &lockedBuffer{}
		l := reader(t, ctx, out, console, find)
		if err := l.history(100); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- l.follow() }()
		expect := func(want string) {
			t.Helper()
			<-time.After(2 * orderWindow)
			synctest.Wait()
			if got := out.take(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		expect("2026-11-22T10:00:00Z app[web.1]: old\n")

		// Lines of the same window are sorted, in whatever order they arrive.
		console.more["b"] <- "2026-11-22T10:00:02Z two\n"
		console.more["a"] <- "2026-11-22T10:00:01Z one\n"
		expect("2026-11-22T10:00:01Z app[web.1]: one\n2026-11-22T10:00:02Z app[web.2]: two\n")

		// A restarted container continues, without its old lines.
		mu.Lock()
		console.logs["a"] += "2026-11-22T10:00:01Z one\n2026-11-22T10:00:03Z again\n"
		mu.Unlock()
		was := console.more["a"]
		console.more["a"] = make(chan string)
		close(was)
		<-time.After(2 * lookInterval)
		expect("2026-11-22T10:00:03Z app[web.1]: again\n")

		// The next release's processes are found.
		mu.Lock()
		console.logs["c"] = "2026-11-22T10:00:04Z new\n"
		console.more["c"] = make(chan string)
		running = append(running, instance("c", "web", 1, engine.StatusRunning))
		mu.Unlock()
		st := l.Call.App.State
		st.Stopped = true
		setState(t, l.Call.Env.Root, st)
		<-time.After(2 * lookInterval)
		expect("2026-11-22T10:00:04Z app[web.1]: new\n")

		cancel()
		if err := <-done; err == nil {
			t.Error("follow ended without its context")
		}
	})
}

// TestLogColours: on a terminal each process has Dokku's colour, and its text its own.
func TestLogColours(t *testing.T) {
	console := &fakeConsole{logs: map[string]string{
		"a": "2026-11-22T10:00:02Z 1%\r\x1b[32mdone\x1b[0m\r\n2026-11-22T10:00:04Z \x1b[2Jup\n",
		"b": "2026-11-22T10:00:01Z early\n",
		"c": "no time\n",
	}}
	all := func() []engine.Instance {
		return []engine.Instance{instance("a", "web", 1, engine.StatusRunning), instance("b", "web", 2, engine.StatusRunning),
			instance("c", "worker", 1, engine.StatusRunning)}
	}
	print := func(on bool) string {
		var out bytes.Buffer
		if err := reader(t, t.Context(), event.WithColour(&out, on), console, all).history(100); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	want := "\x1b[32m app[worker.1]:\x1b[0m no time\n" +
		"\x1b[33m2026-11-22T10:00:01Z app[web.2]:\x1b[0m early\n" +
		"\x1b[36m2026-11-22T10:00:02Z app[web.1]:\x1b[0m \x1b[32mdone\x1b[0m\n" +
		"\x1b[36m2026-11-22T10:00:04Z app[web.1]:\x1b[0m up\n"
	if got := print(true); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	plain := " app[worker.1]: no time\n2026-11-22T10:00:01Z app[web.2]: early\n2026-11-22T10:00:02Z app[web.1]: done\n2026-11-22T10:00:04Z app[web.1]: up\n"
	if got := print(false); got != plain {
		t.Errorf("without colours got\n%q\nwant\n%q", got, plain)
	}
}
