package machine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proc"
	proxymemory "dokku/agent/proxy/memory"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/agent/watch"
	"dokku/build"
	"dokku/build/source"
)

var (
	crowdSeed     = flag.Uint64("crowd.seed", 1, "which commands the clients of TestCommandsAtTheSameTime give")
	crowdCommands = flag.Int("crowd.commands", 1000, "how many commands they give together")
	crowdClients  = flag.Int("crowd.clients", 8, "how many clients there are")
	crowdPatience = flag.Duration("crowd.patience", 4*time.Minute, "how long all commands may take together")
)

// crowdNames are the names of apps. Five are taken at first.
var crowdNames = []string{"a", "b", "c", "d", "e", "f"}

// A crowd is a group of clients that work on the same apps at the same time. Each has
// its own Server, as each process does: they share the root, the engine and the proxy,
// but no memory.
type crowd struct {
	t        *testing.T
	root     string
	engine   *memory.Engine
	proxy    *proxymemory.Proxy
	objects  string   // folder of the pushed revisions
	commits  []string // the revisions
	history  *agenttest.History
	building sync.Mutex
}

// A member is a client that runs one command after the other.
type member struct {
	*crowd
	id     int
	server *agent.Server
	rand   *rand.Rand
	owner  proc.Owner        // the git of its push
	seen   map[string]string // the refs of apps as they were when it last looked
	// begun is when its command reached its first change of a file. 0: not yet.
	begun atomic.Int64
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{t: t, root: inMemory(t), engine: memory.New(), proxy: proxymemory.New(), history: agenttest.NewHistory()}
	c.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Kind == engine.KindRelease} })
	dir := t.TempDir()
	c.objects = filepath.Join(dir, ".git", "objects")
	git(t, dir, "init", "-q", "-b", "main")
	for n := range 4 {
		files := map[string]string{"Dockerfile": fmt.Sprintf("FROM scratch\n#%d\n", n), "Procfile": "web: serve\nworker: work\n"}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git(t, dir, "add", "-A")
		git(t, dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x")
		c.commits = append(c.commits, git(t, dir, "rev-parse", "HEAD"))
	}
	git(t, dir, "repack", "-adq")
	if err := c.member(0).server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error {
		s.Checks, s.KeepReleases = map[string]string{"default-wait": "0", "wait-to-retire": "0"}, 2
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crowd) member(id int) *member {
	l := &member{crowd: c, id: id, rand: rand.New(rand.NewPCG(*crowdSeed, uint64(id))), seen: map[string]string{}}
	l.server = &agent.Server{Env: &deploy.Env{Store: &store.Store{Root: c.root,
		Fault: func(string) error { l.begun.CompareAndSwap(0, c.history.Now()); return nil }},
		Machine: c.engine, Router: c.proxy, Build: c.build, Dial: dialNothing,
		Owner: func() (proc.Owner, error) { return l.owner, nil }}, Binary: "/bin/true"}
	return l
}

// build stands in for an image build: the same content gives the same image.
func (c *crowd) build(ctx context.Context, r build.Request) (build.Result, error) {
	c.building.Lock()
	defer c.building.Unlock()
	id := fmt.Sprintf("sha256:%016x%s", hash(0, r.App, r.Commit.Tree), r.Commit.Tree)
	if _, err := c.engine.Image(ctx, id); err != nil {
		c.engine.SetImage(r.App, engine.ImageInfo{ID: id, Ports: []int{8080}})
	}
	return build.Result{ImageID: id}, nil
}

// TestCommandsAtTheSameTime lets clients run commands on the same apps in parallel,
// beside an agent. One order of all commands must explain all outcomes (I10). Each
// loser must get one known line, every client must finish, and everything must be at
// rest afterwards.
//
// It fails if a command does not wait for a lock or releases it too early.
func TestCommandsAtTheSameTime(t *testing.T) {
	c := newCrowd(t)
	for _, name := range crowdNames[:5] {
		c.member(0).do(agenttest.Command{Verb: "apps:create", App: name})
	}
	ctx, cancel := context.WithCancel(context.Background())
	agent := make(chan error, 1)
	go func() { agent <- watch.Run(ctx, c.member(-1).server, event.Log{}) }()
	begun := time.Now()
	c.within(*crowdPatience, func() {
		var all sync.WaitGroup
		for id := range *crowdClients {
			l := c.member(id)
			all.Go(func() {
				for range *crowdCommands / *crowdClients {
					l.do(l.command())
				}
			})
		}
		all.Wait()
	})
	t.Logf("%d clients were done after %s", *crowdClients, time.Since(begun).Round(time.Millisecond))
	cancel()
	if err := <-agent; err != nil {
		t.Errorf("the agent ends with: %v", err)
	}
	c.settle()
	c.history.Tell(t)
	for _, text := range c.history.Unknown() {
		t.Errorf("not one line that is known: %s", text)
	}
	checked := time.Now()
	if err := c.history.Check(time.Minute); err != nil {
		t.Error(err)
	}
	t.Logf("an order was looked for in %s", time.Since(checked).Round(time.Millisecond))
	c.atRest()
}

// within fails with the stacks of all goroutines if f takes longer.
func (c *crowd) within(patience time.Duration, f func()) {
	c.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		stacks := make([]byte, 1<<20)
		c.t.Fatalf("a client waits for ever, or for more than %s:\n%s", patience, stacks[:runtime.Stack(stacks, true)])
	}
}

// command returns the client's next command.
func (l *member) command() agenttest.Command {
	some := func(list ...string) string { return list[l.rand.IntN(len(list))] }
	c := agenttest.Command{App: some(crowdNames...), Stays: l.rand.IntN(3) == 0}
	c.Verb = some(agenttest.Read, agenttest.Read, agenttest.Read, "push", "push", "push", "push", "push", agenttest.Lost, "ps:scale",
		"ps:scale", "ps:scale", "ps:restart", "ps:stop", "ps:start", "ps:start", "ps:rebuild", "config:set", "config:set", "config:set",
		"config:unset", "domains:add", "domains:add", "domains:reset", "apps:create", "apps:create", "apps:create", "apps:destroy",
		"apps:rename", "apps:rename", "apps:lock", "apps:unlock", "apps:unlock")
	number := func(n int) string { return fmt.Sprint(l.rand.IntN(n)) }
	switch c.Verb {
	case "push", agenttest.Lost:
		c.New = some(l.commits...)
		if _, looked := l.seen[c.App]; !looked || l.rand.IntN(3) > 0 {
			l.seen[c.App], _ = repo.Ref(l.server.Env.Store.Dir(c.App), deploy.Heads+"main")
		}
		if c.Old = l.seen[c.App]; c.Old == c.New { // git pushes nothing then
			c.New = l.commits[(slices.Index(l.commits, c.New)+1)%len(l.commits)]
		}
	case "ps:scale":
		c.Pairs = []string{some("web=", "worker=") + number(3)}
	case "config:set":
		c.Pairs = []string{some("A=", "B=", "C=") + number(100)}
	case "config:unset":
		c.Keys = []string{some("A", "B", "C")}
	case "domains:add":
		c.Domain = some("x", "y", "z") + ".example.com"
	case "apps:rename":
		c.To = some(crowdNames...)
	}
	return c
}

// do runs a command and records its outcome. The recorded interval starts at the
// command's first change of a file, because no client can see an effect before that.
// This leaves out the wait for the lock, makes the check stricter, and leaves fewer
// orders to try.
func (l *member) do(c agenttest.Command) {
	called := l.history.Now()
	if c.Verb == agenttest.Read {
		seen, err := l.look(c.App)
		l.history.Add(l.id, called, c, agenttest.Outcome{Seen: seen, Refused: errorText(err)})
		return
	}
	l.begun.Store(0)
	err := l.run(c)
	if begun := l.begun.Load(); begun != 0 && err == nil {
		called = begun
	}
	l.history.Add(l.id, called, c, agenttest.Outcome{Refused: errorText(err)})
	if c.Verb == "apps:rename" && err == nil && !c.Stays {
		l.history.Add(l.id, called, agenttest.Command{Verb: agenttest.Finish, App: c.To}, agenttest.Outcome{})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// look reads an app without its lock, as reports do.
func (l *member) look(name string) (map[string]string, error) {
	a, err := l.server.Env.Store.Load(name)
	var none *app.NoAppError
	if errors.As(err, &none) {
		return map[string]string{"exists": "false"}, nil
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]string{"exists": "true", "config": agenttest.Pairs(a.State.Config), "scale": agenttest.Pairs(a.State.Scale),
		"next": agenttest.Pairs(a.State.ScaleNext), "domains": strings.Join(a.State.Domains, " "), "running": "", "revision": "",
		"stopped": fmt.Sprint(a.State.Stopped), "locked": fmt.Sprint(a.State.Locked)}
	if a.Current != nil {
		seen["running"], seen["revision"] = agenttest.Pairs(a.Current.Config), a.Current.Revision
	}
	return seen, nil
}

func (l *member) run(c agenttest.Command) error {
	ctx, s, none := context.Background(), l.server, event.Log{}
	switch c.Verb {
	case "push", agenttest.Lost:
		return l.push(ctx, c)
	case "ps:scale":
		counts := map[string]int{}
		for k, v := range pairs(c.Pairs) {
			counts[k] = int(v[0] - '0')
		}
		return s.Scale(ctx, c.App, counts, c.Stays, none)
	case "ps:restart":
		return s.Restart(ctx, c.App, none)
	case "ps:stop":
		return s.Stop(ctx, c.App, none)
	case "ps:start":
		return s.Start(ctx, c.App, none)
	case "ps:rebuild":
		return s.Rebuild(ctx, c.App, none)
	case "config:set", "config:unset":
		return s.SetConfig(ctx, c.App, pairs(c.Pairs), c.Keys, !c.Stays, none)
	case "domains:add", "domains:reset":
		return s.Update(ctx, c.App, deploy.Op{Name: c.Verb, Changes: deploy.ChangesNames}, none, func(st *app.State) error { return l.domains(c, st) })
	case "apps:create":
		return s.Create(ctx, c.App, false)
	case "apps:destroy":
		return s.Destroy(ctx, c.App, none)
	case "apps:rename":
		return s.Rename(ctx, c.App, c.To, c.Stays, none)
	case "apps:lock", "apps:unlock":
		return s.SetLocked(ctx, c.App, c.Verb == "apps:lock", none)
	}
	panic("there is no command " + c.Verb)
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for _, p := range list {
		k, v, _ := strings.Cut(p, "=")
		m[k] = v
	}
	return m
}

// domains returns the names that domains:add and domains:reset change.
func (l *member) domains(c agenttest.Command, st *app.State) error {
	if c.Verb == "domains:reset" {
		st.Domains = nil
		return nil
	}
	if slices.Contains(st.Domains, c.Domain) {
		return nil
	}
	apps, err := l.server.Env.Store.Apps()
	if err != nil {
		return err
	}
	for _, name := range apps {
		other, err := l.server.Env.Store.Load(name)
		var gone *app.NoAppError
		switch {
		case name == c.App || errors.As(err, &gone):
		case err != nil:
			return err
		case slices.Contains(other.State.Domains, c.Domain):
			return fmt.Errorf("Domain %s belongs to app %s: remove it there first (dokku domains:remove %[2]s %[1]s)", c.Domain, name)
		}
	}
	st.Domains = append(st.Domains, c.Domain)
	return nil
}

// push does git's part: pre-receive, the move of objects and ref, post-receive. A
// process stands in for git. If it ends before the ref moves, others can undo the push.
func (l *member) push(ctx context.Context, c agenttest.Command) (err error) {
	hold, git, err := gitProcess()
	if err != nil {
		return err
	}
	defer func() { hold.Close(); git.Wait() }()
	if l.owner, err = proc.OwnerOf(git.Process.Pid); err != nil {
		return err
	}
	old := c.Old
	if old == "" {
		old = deploy.ZeroID
	}
	dir := l.server.Env.Store.Dir(c.App)
	err = l.server.Prepare(ctx, deploy.Push{App: c.App, Refs: []deploy.Ref{{Old: old, New: c.New, Name: deploy.Heads + "main"}},
		Objects: source.Options{GitDir: dir, ObjectDir: l.objects}}, event.Log{})
	if err != nil || c.Verb == agenttest.Lost {
		return err
	}
	// The objects reach the app's repository before the ref does.
	if err := os.CopyFS(filepath.Join(dir, "objects"), os.DirFS(l.objects)); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	ref := filepath.Join(dir, deploy.Heads+"main")
	if err := errors.Join(os.WriteFile(ref+".lock", []byte(c.New+"\n"), 0o644), os.Rename(ref+".lock", ref)); err != nil {
		return err
	}
	err = l.server.Reconcile(ctx, c.App, event.Log{})
	var gone *app.NoAppError
	if errors.As(err, &gone) {
		return nil // accepted, and renamed or destroyed before this push could finish
	}
	return err
}

func gitProcess() (hold io.Closer, p *exec.Cmd, err error) {
	p = exec.Command("cat")
	if hold, err = p.StdinPipe(); err != nil {
		return nil, nil, err
	}
	return hold, p, p.Start()
}
