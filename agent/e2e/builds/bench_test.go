package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/proxy"
	"dokku/agent/proxy/memory"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/source"
)

// A bench is a server with one app, between which and the engine a relay stands.
type bench struct {
	*testing.T
	cli    *client.Client
	relay  *buildtest.Relay
	root   string
	app    string
	proxy  proxy.Proxy
	work   buildtest.Repo
	left   buildtest.Resources
	caches []string // the volumes that may be there at rest
	server *agent.Server
	out    strings.Builder // of the last operation
}

// newBench starts a server whose settings of builds are build, with an empty app.
func newBench(t *testing.T, cli *client.Client, lifecycle string, settings map[string]string) *bench {
	t.Helper()
	b := &bench{T: t, cli: cli, relay: buildtest.NewRelay(t, cli), root: t.TempDir(), proxy: memory.New(), work: buildtest.NewRepo(t),
		app: fmt.Sprintf("builds-test-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9)}
	b.left = buildtest.Resources{T: t, Client: cli, App: b.app}
	b.start()
	b.must(b.server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error {
		s.Docker, s.Lifecycle, s.Build, s.KeepReleases = b.relay.Address, lifecycle, settings, 1
		s.Checks = map[string]string{"default-wait": "0", "wait-to-retire": "0"}
		return nil
	}))
	b.must(b.server.Create(t.Context(), b.app, false))
	t.Cleanup(func() {
		b.relay.Plan(buildtest.Call{}, "")
		b.start()
		if err := b.server.Destroy(context.Background(), b.app, event.Log{}); err != nil {
			t.Error(err)
		}
		b.left.Remove(0)
	})
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

var errDead = errors.New("the program is dead")

// start starts the server anew, without the state that it had in memory.
func (b *bench) start() {
	b.Helper()
	s, err := agent.Open(b.root)
	b.must(err)
	s.Env.Router = b.proxy
	s.Env.Owner = func() (proc.Owner, error) { return proc.Owner{Boot: "before the last reboot"}, nil }
	s.Env.Store.Fault = func(string) error {
		if b.relay.Dead() {
			return errDead
		}
		return nil
	}
	connect := s.Env.Connect
	s.Env.Connect = func(set app.Settings) (engine.Host, deploy.Builder, error) {
		host, builder, err := connect(set)
		return host, &counted{builder, b.relay}, err
	}
	b.server = s
}

// counted has the relay count the calls of a build.
type counted struct {
	deploy.Builder
	relay *buildtest.Relay
}

func (c *counted) Build(ctx context.Context, r build.Request) (build.Result, error) {
	c.relay.Count(true)
	defer c.relay.Count(false)
	return c.Builder.Build(ctx, r)
}

// log collects what an operation prints.
func (b *bench) log() (log event.Log, done func()) {
	b.out.Reset()
	term := event.NewTerminal(&b.out, &b.out, false)
	return event.New(term), term.Close
}

// push does git's part of a push: pre-receive, the move of the ref, post-receive.
func (b *bench) push(f buildtest.Files) error {
	b.Helper()
	dir := b.server.Env.Store.Dir(b.app)
	tip, err := repo.Ref(dir, deploy.Heads+"main")
	b.must(err)
	rev := b.work.Commit("", f)
	b.work.Git("push", "-q", "--force", "--no-verify", "--receive-pack=git -c core.hooksPath=/dev/null receive-pack", "file://"+dir, "main:refs/heads/sent")
	p := deploy.Push{App: b.app, Objects: source.Options{GitDir: dir}, Refs: []deploy.Ref{{Old: tip, New: rev, Name: deploy.Heads + "main"}}}
	if tip == "" {
		p.Refs[0].Old = deploy.ZeroID
	}
	log, done := b.log()
	defer done()
	if err := b.server.Prepare(b.Context(), p, log); err != nil {
		return err
	}
	buildtest.At(b, dir).Git("update-ref", deploy.Heads+"main", rev)
	return b.server.Reconcile(b.Context(), b.app, log)
}

// pushed pushes what has to be accepted, and checks that it is served.
func (b *bench) pushed(f buildtest.Files, served string) {
	b.Helper()
	if err := b.push(f); err != nil {
		b.Fatalf("%v\n%s", err, &b.out)
	}
	b.serves(served)
}

// serves fails the test unless web answers with the text.
func (b *bench) serves(want string) {
	b.Helper()
	live, ok, err := b.proxy.Live(b.Context(), b.app)
	if err != nil || !ok || len(live.Upstreams) != 1 {
		b.Fatalf("nothing is published: %+v, %v", live, err)
	}
	if got := ask(live.Upstreams[0].String()); got != want {
		b.Fatalf("it serves %q, want %q", got, want)
	}
}

// ask returns the body of an answer; "": there was none.
func ask(address string) string {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	var text strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			_, body, _ := strings.Cut(text.String(), "\r\n\r\n")
			return strings.TrimSpace(body)
		}
	}
}

// die makes the app look as a killed process leaves it, and starts the server anew.
func (b *bench) die() {
	note, err := json.Marshal(store.Holder{PID: 1, Step: "a test"})
	b.must(err)
	b.must(os.WriteFile(b.server.Env.Store.Own("locks", b.app), note, 0o600))
	b.relay.Plan(buildtest.Call{}, "")
	b.start()
}

// recover lets the agent, or a command, find what is left.
func (b *bench) recover(byAgent bool) {
	b.Helper()
	log, done := b.log()
	defer done()
	if byAgent {
		_, ok, err := b.server.TryReconcile(b.Context(), b.app, false, log)
		if err != nil || !ok {
			b.Fatalf("the agent cannot reconcile: %t, %v", ok, err)
		}
		return
	}
	b.must(b.server.SetConfig(b.Context(), b.app, map[string]string{"NUMBER": fmt.Sprint(time.Now().UnixNano())}, nil, false, log))
}

// patience is the time in which the engine ends what a dead client has asked for.
const patience = time.Minute

// rest fails the test unless nothing is left of a build that was not accepted, soon.
func (b *bench) rest(what string) {
	b.Helper()
	late := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for err := b.unrest(); err != nil; err = b.unrest() {
		select {
		case <-late:
			b.Fatalf("%s: %v\n%s", what, err, &b.out)
		case <-tick.C:
			b.recover(true) // as the agent does from time to time
		}
	}
}

// unrest returns what is wrong with an app that should be at rest.
func (b *bench) unrest() error {
	a, err := b.server.Load(b.app)
	if err != nil {
		return err
	}
	tip, err := repo.Ref(a.Dir, deploy.Heads+"main")
	if err != nil || a.Current == nil || tip != a.Current.Revision || a.State.Staged != nil {
		return fmt.Errorf("main is at %s, staged is %+v, v%d is current (%v)", tip, a.State.Staged, a.State.Current, err)
	}
	numbers, err := b.server.Env.Store.ReleaseNumbers(b.app)
	if err != nil || !slices.Equal(numbers, []int{a.State.Current}) {
		return fmt.Errorf("the releases are %v, current is %d (%v)", numbers, a.State.Current, err)
	}
	return errors.Join(b.containersRest(a), b.imagesRest(a), b.volumesRest(), b.filesRest(a.Dir))
}

func (b *bench) containersRest(a *app.App) error {
	list, err := b.cli.ContainerList(b.Context(), container.ListOptions{All: true, Filters: b.label()})
	var got []string
	for _, c := range list {
		got = append(got, fmt.Sprintf("%s v%s %s", c.Names[0], c.Labels[engine.LabelRelease], c.State))
	}
	if want := fmt.Sprintf("/%s.web.1 v%d running", b.app, a.State.Current); err != nil || !slices.Equal(got, []string{want}) {
		return fmt.Errorf("the containers are %q, want %s (%v)", got, want, err)
	}
	return nil
}

func (b *bench) imagesRest(a *app.App) error {
	list, err := b.cli.ImageList(b.Context(), image.ListOptions{Filters: b.label()})
	var got []string
	for _, i := range list {
		got = append(got, i.ID)
	}
	if err != nil || !slices.Equal(got, []string{a.Current.Image}) {
		return fmt.Errorf("the images are %q, want %s (%v)", got, a.Current.Image, err)
	}
	return nil
}

// volumesRest finds volumes beside the caches.
func (b *bench) volumesRest() error {
	for _, name := range b.left.Volumes() {
		if !slices.Contains(b.caches, name) {
			return fmt.Errorf("the volume %s is left", name)
		}
	}
	return nil
}

// filesRest finds files of killed writers.
func (b *bench) filesRest(dir string) error {
	for _, pattern := range []string{"dokku/.*.json[0-9]*", "dokku/releases/.*", "dokku/.new-*", "dokku/.manifest*"} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) > 0 {
			return fmt.Errorf("left are the files %q (%v)", left, err)
		}
	}
	return nil
}

func (b *bench) label() filters.Args {
	return filters.NewArgs(filters.Arg("label", engine.LabelApp+"="+b.app))
}
