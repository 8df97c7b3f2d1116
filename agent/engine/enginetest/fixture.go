package enginetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent/engine"
)

// patience bounds the wait for an immediate effect. A busy machine needs seconds for each
// start.
const patience = time.Minute

// Fixture is an engine under test with the helpers of its tests.
type Fixture struct {
	Host engine.Host
	// Image makes an image that carries the label of app ("": none) and exposes
	// TCP ports 8080 and 80 and UDP port 53. It is removed after the run.
	Image func(t *testing.T, app string, tags ...string) (id string)
	// RemoveVolume removes a volume that a test has mounted.
	RemoveVolume func(t *testing.T, name string)
	// Cache makes a volume that carries the label of app, as builds do.
	Cache func(t *testing.T, app, name string)
	// Scratch makes a volume that a build of app has left without its container.
	Scratch func(t *testing.T, app, name string)
	// Crash makes the process of a running container fail, as by itself.
	Crash func(t *testing.T, id string)
	// Dials: ports of the host that containers publish can be dialled.
	Dials bool
	// Command returns a command for that image that acts as p.
	Command func(p Program) []string
}

// Program lists the actions of a test's process, in this order.
type Program struct {
	Ports  []int    // listens on all addresses, and on loopback one port above each
	PID    bool     // prints "is process 1" or "is not process 1", of its container
	Dials  []string // connects to "host:port" and prints "reached host:port" or "cannot reach host:port"
	Writes []string // writes "written" into these files and prints "wrote NAME" or "cannot write NAME"
	Reads  []string // prints "read CONTENT from NAME" or "cannot read NAME"
	Output []string // prints
	// Allocates: takes this many bytes of memory, unless it is killed for it.
	Allocates int64
	Exits     bool // ends with Code; else it runs until it is stopped,
	Code      int

	OnStop     []string // prints, and ends with code 0; or
	IgnoreStop bool     // goes on.

	// Of one that is run attached, after Output:
	Errors []string // prints to its standard error
	Cat    bool     // copies its input to its output, and ends with Code at the end
	Sizes  bool     // prints "ROWS COLUMNS" at first and at each change
}

// run is one run of a suite on one engine.
type run struct {
	Fixture
	prefix string
	apps   atomic.Int32
	image  string // of all apps; its labels say that it is another app's
}

// app is an app of one test.
type app struct {
	*run
	t     *testing.T
	ctx   context.Context
	name  string
	image string
}

// app returns a new app that is removed after the test.
func (r *run) app(t *testing.T) *app {
	a := r.bare(t)
	a.network()
	return a
}

// bare returns an app without a network.
func (r *run) bare(t *testing.T) *app {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	t.Cleanup(cancel)
	a := &app{run: r, t: t, ctx: ctx, name: r.prefix + strconv.Itoa(int(r.apps.Add(1))), image: r.image}
	t.Cleanup(a.clean)
	return a
}

func (a *app) clean() {
	o, err := a.Host.Observe(a.ctx, a.name)
	if err != nil {
		a.t.Errorf("cleaning up: %v", err)
	}
	for _, i := range o.Instances {
		a.remove(engine.Container, i.ID)
	}
	for _, n := range o.Networks {
		a.remove(engine.NetworkKind, n.ID)
	}
}

func (a *app) network() engine.Network {
	a.t.Helper()
	n, err := a.Host.Network(a.ctx, a.name)
	a.ok(err)
	return n
}

// address returns the nth fixed address of the app's network.
func (a *app) address(n int) netip.Addr {
	a.t.Helper()
	addr := a.network().Gateway
	for range n {
		addr = addr.Next()
	}
	return addr
}

// spec returns the Spec of the nth web process, which prints "ready" last.
func (a *app) spec(n int, p Program) engine.Spec {
	if !p.Exits {
		p.Output = append(p.Output, "ready")
	}
	return engine.Spec{
		App: a.name, Kind: engine.KindDeploy, Type: "web", Index: n, Release: 7, Attempt: "abc",
		Name: a.name + ".web." + strconv.Itoa(n), Image: a.image, Command: a.Command(p),
		Env: []string{"GREETING=hello"}, StopTimeout: 10 * time.Second,
	}
}

// start starts a process and waits until it is ready, so that a stop finds its
// signal handlers.
func (a *app) start(s engine.Spec) engine.Instance {
	a.t.Helper()
	i, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	a.ready(i.ID)
	return i
}

func (a *app) ready(id string) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.ctx, patience)
	defer cancel()
	seen := false
	err := a.Host.Logs(ctx, id, engine.LogOptions{Follow: true}, writer(func(p []byte) {
		if strings.Contains(string(p), "ready") {
			seen = true
			cancel()
		}
	}))
	if !seen {
		a.t.Fatalf("container %s never got ready: %v", id, err)
	}
}

func (a *app) stop(id string) {
	a.t.Helper()
	a.ok(a.Host.Stop(a.ctx, id, 10*time.Second))
}

func (a *app) remove(kind engine.ResourceKind, id string) {
	a.t.Helper()
	a.ok(a.Host.Remove(a.ctx, engine.Resource{Kind: kind, ID: id}))
}

func (a *app) observe() engine.Observed {
	a.t.Helper()
	o, err := a.Host.Observe(a.ctx, a.name)
	a.ok(err)
	return o
}

// instance returns the container as the engine sees it now.
func (a *app) instance(id string) engine.Instance {
	a.t.Helper()
	for _, i := range a.observe().Instances {
		if i.ID == id {
			return i
		}
	}
	a.t.Fatalf("container %s is not among the app's", id)
	return engine.Instance{}
}

// instances fails unless the app has exactly the containers with these names.
func (a *app) instances(names ...string) {
	a.t.Helper()
	var got []string
	for _, i := range a.observe().Instances {
		got = append(got, strings.TrimPrefix(i.Name, a.name+"."))
	}
	equal(a.t, "containers", strings.Join(got, " "), strings.Join(names, " "))
}

func (a *app) log(id string, o engine.LogOptions) string {
	a.t.Helper()
	var text strings.Builder
	a.ok(a.Host.Logs(a.ctx, id, o, &text))
	return text.String()
}

func (a *app) ok(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// writer is a function that is called for each write.
type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// spoofed is the app that the image's label claims.
func (r *run) spoofed() string { return r.prefix + "spoofed" }

func random() string {
	b := make([]byte, 4)
	rand.Read(b)
	return hex.EncodeToString(b)
}
