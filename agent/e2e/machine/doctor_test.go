package machine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/deploy"
	"dokku/agent/doctor"
	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proxy"
	proxymemory "dokku/agent/proxy/memory"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// A patient is a machine without problems, including the parts of the host that the
// doctor looks at.
type patient struct {
	*machine
	doctor doctor.Doctor
	nginx  examined
	agent  *store.Lock
	sshd   net.Listener
	disk   unix.Statfs_t
	// storage is the folder of the folders that apps mount.
	storage string
	// clockRunsFree: nothing sets the server's clock.
	clockRunsFree bool
	// certificateLeft is what is left of the time of the swarm's certificates; 0: all of it.
	certificateLeft time.Duration
}

// swarm makes the engine the first manager of a swarm, and lets another one join.
func (p *patient) swarm(role engine.Role) *memory.Engine {
	p.t.Helper()
	check(p.t, p.engine.InitCluster(p.t.Context(), "10.0.0.1"))
	token, err := p.engine.JoinToken(p.t.Context(), role, false)
	check(p.t, err)
	other := memory.New()
	check(p.t, other.Join(p.engine.Swarm(), "10.0.0.2", token))
	return other
}

// manager connects to a manager of the swarm, which has a certificate.
func (p *patient) manager() (net.Conn, error) {
	made := time.Now()
	if p.certificateLeft != 0 {
		made = made.Add(p.certificateLeft - certs.SelfSignedLife)
	}
	pair, err := certs.SelfSigned([]string{"10.0.0.1"}, made)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.Chain, pair.Key)
	here, there := net.Pipe()
	go tls.Server(there, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
	return here, err
}

// examined is a proxy in memory that implements proxy.Examiner.
type examined struct {
	*proxymemory.Proxy
	proxy.Condition
}

func (e *examined) Examine(context.Context) proxy.Condition {
	c := e.Condition
	for _, app := range []string{"shop", "store"} {
		if _, ok, _ := e.Live(context.Background(), app); ok {
			c.Apps = append(c.Apps, app)
		}
	}
	return c
}

const aKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJIqOmKfjlk03N0JPzQ5RjuFhGvgQW1PWNMyDK3TkDSr alice\n"

func newPatient(t *testing.T, h history) *patient {
	t.Helper()
	p := &patient{machine: newMachine(t, h), disk: unix.Statfs_t{Bsize: 1 << 30, Blocks: 100, Bfree: 50, Bavail: 50, Files: 100, Ffree: 50}}
	binary, err := os.Executable()
	check(t, err)
	p.server.Binary = binary
	check(t, repo.LinkHooks(p.server.Env.Store.Disk, p.server.Env.Store.Dir("shop"), binary))
	p.nginx.Proxy = p.proxy
	p.server.Env.Router = &p.nginx
	p.agent, _, err = p.server.Env.Store.TryLock(store.AgentLock, "the agent")
	check(t, err)
	t.Cleanup(p.agent.Release)
	p.sshd, err = net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { p.sshd.Close() })
	go func() {
		for {
			conn, err := p.sshd.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "SSH-2.0-OpenSSH_9.2p1\r\n")
			conn.Close()
		}
	}()
	config := filepath.Join(t.TempDir(), "sshd_config")
	check(t, os.WriteFile(config, fmt.Appendf(nil, "# nothing\nListenAddress %s\n", p.sshd.Addr()), 0o600))
	p.doctor.Server, p.doctor.Around = p.server, doctor.Surroundings{SSHConfig: config, Statfs: func(_ string, st *unix.Statfs_t) error { *st = p.disk; return nil },
		Dial:         func(context.Context, string, string) (net.Conn, error) { return p.manager() },
		Synchronised: func() bool { return !p.clockRunsFree }}
	p.storage = filepath.Join(t.TempDir(), "storage")
	check(t, os.Mkdir(p.storage, 0o750))
	check(t, p.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error { set.StorageRoot = p.storage; return nil }))
	check(t, os.Mkdir(filepath.Join(p.root, ".ssh"), 0o700))
	p.keys(`command="DOKKU_ROOT=` + p.root + " " + binary + ` shell alice",restrict,pty ` + aKey)
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *patient) path(elem ...string) string {
	return filepath.Join(append([]string{p.root}, elem...)...)
}

func (p *patient) keys(text string) {
	p.t.Helper()
	p.write(text, ".ssh", "authorized_keys")
}

func (p *patient) write(text string, elem ...string) {
	p.t.Helper()
	check(p.t, os.WriteFile(p.path(elem...), []byte(text), 0o600))
}

// age makes a file look untouched for an hour and a half.
func (p *patient) age(elem ...string) {
	p.t.Helper()
	then := time.Now().Add(-90 * time.Minute)
	check(p.t, os.Chtimes(p.path(elem...), then, then))
}

// state changes the app's state without any command.
func (p *patient) state(change func(*app.State)) {
	p.t.Helper()
	a, err := p.server.Env.Store.Load("shop")
	check(p.t, err)
	change(&a.State)
	check(p.t, p.server.Env.Store.SaveState("shop", &a.State))
}

// container returns the id of a process's container.
func (p *patient) container(name string) string {
	p.t.Helper()
	o, err := p.engine.Observe(p.t.Context(), "shop")
	check(p.t, err)
	at := slices.IndexFunc(o.Instances, func(i engine.Instance) bool { return i.Name == name })
	if at < 0 {
		p.t.Fatalf("there is no container %s", name)
	}
	return o.Instances[at].ID
}

// bad lists the findings that are not ok, a line each.
func bad(found []doctor.Finding) (lines []string) {
	for _, f := range found {
		if f.Status != doctor.HealthOK {
			lines = append(lines, fmt.Sprintf("%s: %s: %s; %s", f.Title(), f.Status, f.Text, f.Fix))
		}
	}
	return lines
}

// TestDoctor breaks each thing, expects exactly that finding, and fixes it where possible.
func TestDoctor(t *testing.T) {
	h := newHistory(t)
	for _, test := range doctorTests {
		t.Run(test.name, func(t *testing.T) {
			p := newPatient(t, h)
			if lines := bad(p.doctor.Examine(t.Context(), "")); lines != nil {
				t.Fatalf("before anything is wrong: %q", lines)
			}
			test.damage(p)
			found := p.doctor.Examine(t.Context(), "")
			lines := bad(found)
			if len(lines) != len(test.want) {
				t.Fatalf("it finds\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(test.want, "\n"))
			}
			for i, want := range test.want {
				title, text, _ := strings.Cut(want, ": ")
				if !strings.HasPrefix(lines[i], title+": ") || !strings.Contains(lines[i], text) {
					t.Errorf("it finds\n%s\nwant %s", lines[i], want)
				}
			}
			after := p.doctor.Fix(t.Context(), "", found, event.Log{})
			if test.stays {
				if now := bad(after); !slices.Equal(now, lines) {
					t.Errorf("--fix changes what it must leave alone:\n%q\nbefore\n%q", now, lines)
				}
				return
			}
			if lines := bad(after); lines != nil {
				t.Errorf("--fix leaves\n%s", strings.Join(lines, "\n"))
			}
			if !slices.ContainsFunc(after, func(f doctor.Finding) bool { return f.Fixed }) {
				t.Errorf("--fix does not say what it has fixed: %+v", after)
			}
			if lines := bad(p.doctor.Examine(t.Context(), "")); lines != nil {
				t.Errorf("a second look finds\n%s", strings.Join(lines, "\n"))
			}
			if test.after != nil {
				test.after(p)
			}
		})
	}
}

// TestDoctorLines: of each healthy app one finding says what it runs, and where.
func TestDoctorLines(t *testing.T) {
	p := newPatient(t, newHistory(t))
	named := func(names ...string) func() error {
		return func() error {
			return p.server.Update(t.Context(), "shop", deploy.Op{Name: "domains:set", Changes: deploy.ChangesNames}, event.Log{},
				func(st *app.State) error { st.Domains = names; return nil })
		}
	}
	line := func(name string) string {
		t.Helper()
		found := p.doctor.Examine(t.Context(), name)
		if lines := bad(found); lines != nil {
			t.Errorf("it finds %q", lines)
		}
		var texts []string
		for _, f := range found {
			if f.Sums {
				texts = append(texts, f.Text)
			}
		}
		return strings.Join(texts, "\n")
	}
	for _, test := range []struct {
		app, want string
		change    func() error
	}{
		{"shop", "2 web, 1 worker running, http://a.example", named("a.example")},
		{"shop", "2 web, 1 worker running, http://a.example (and 1 more)", named("a.example", "b.example")},
		{"shop", "1 worker running", func() error {
			return p.server.Scale(t.Context(), "shop", map[string]int{"web": 0}, false, event.Log{})
		}},
		{"shop", "runs nothing: every process type has 0 processes", func() error {
			return p.server.Scale(t.Context(), "shop", map[string]int{"worker": 0}, false, event.Log{})
		}},
		{"shop", "stopped (ps:stop)", func() error { return p.server.Stop(t.Context(), "shop", event.Log{}) }},
		{"fresh", "never deployed", func() error { return p.server.Create(t.Context(), "fresh", false) }},
	} {
		check(t, test.change())
		if test.app == "shop" {
			p.settle()
		}
		if got := line(test.app); got != test.want {
			t.Errorf("%s is told as %q, want %q", test.app, got, test.want)
		}
	}
}

// TestDoctorOfKeptApp: an app whose pushes all failed is no problem, and its end is told.
func TestDoctorOfKeptApp(t *testing.T) {
	p := newPatient(t, newHistory(t))
	check(t, p.server.Create(t.Context(), "fresh", false))
	kept := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	check(t, p.server.Env.Store.SaveState("fresh", &app.State{Kept: kept}))
	found := p.doctor.Examine(t.Context(), "fresh")
	want := "never deployed: no push succeeded; it goes on 2026-12-05T12:00:00Z if nothing is set or deployed"
	if !slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.Check == "deploy" && f.Text == want }) || bad(found) != nil {
		t.Errorf("it finds %+v", found)
	}
}

// TestDoctorChangesNothing: an examination leaves every file as it is, whatever is wrong.
func TestDoctorChangesNothing(t *testing.T) {
	p := newPatient(t, newHistory(t))
	p.write("left", ".dokku", "locks", "shop")
	p.state(func(st *app.State) { st.Destroying = true })
	agenttest.Leave(t, p.path("shop"), agenttest.Litter...)
	list := func() string {
		var b strings.Builder
		check(t, filepath.WalkDir(p.root, func(path string, d os.DirEntry, err error) error {
			if err == nil {
				info, _ := d.Info()
				fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime())
			}
			return err
		}))
		return b.String()
	}
	before, changes := list(), p.count
	p.doctor.Examine(t.Context(), "")
	p.doctor.Examine(t.Context(), "shop")
	if after := list(); after != before || p.count != changes {
		t.Errorf("%d changes, and the files are\n%s\nbefore\n%s", p.count-changes, after, before)
	}
}

// TestDoctorOfOneApp: the report covers neither the server nor other apps.
func TestDoctorOfOneApp(t *testing.T) {
	p := newPatient(t, newHistory(t))
	check(t, p.server.Create(t.Context(), "other", false))
	for _, f := range p.doctor.Examine(t.Context(), "shop") {
		if f.App != "shop" {
			t.Errorf("%+v", f)
		}
	}
}

// TestDoctorHangingEngine: all findings that need no engine are reported.
func TestDoctorHangingEngine(t *testing.T) {
	p := newPatient(t, newHistory(t))
	socket := filepath.Join(t.TempDir(), "engine.sock")
	mute, err := net.Listen("unix", socket)
	check(t, err)
	defer mute.Close()
	p.server.Env.Machine, err = docker.New(docker.Config{Host: "unix://" + socket})
	check(t, err)
	p.doctor.Around.Patience = 2 * time.Second
	begun := time.Now()
	lines := bad(p.doctor.Examine(t.Context(), ""))
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it takes %s", took)
	}
	for i, want := range []string{"engine: problem: ", "orphans: warning: ", "shop processes: warning: "} {
		if len(lines) != 3 || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("it finds\n%s", strings.Join(lines, "\n"))
		}
	}
}

// TestDoctorDuringDeploy: containers of a running deploy are not leftovers.
func TestDoctorDuringDeploy(t *testing.T) {
	p := newPatient(t, newHistory(t))
	l, _, err := p.server.Env.Store.TryLock("shop", "ps:scale")
	check(t, err)
	p.strange("worker", 9)
	if lines := bad(p.doctor.Examine(t.Context(), "")); lines != nil {
		t.Errorf("while a deploy is under way it finds %q", lines)
	}
	l.Release()
	if lines := bad(p.doctor.Examine(t.Context(), "")); len(lines) != 1 || !strings.HasPrefix(lines[0], "shop leftovers: ") {
		t.Errorf("after it, it finds %q", lines)
	}
}

// TestDoctorFixesWhatItSeesLater: --fix also fixes what the first examination missed,
// because the engine did not answer in time.
func TestDoctorFixesWhatItSeesLater(t *testing.T) {
	p := newPatient(t, newHistory(t))
	p.write("this-root\n", ".dokku", "id")
	p.engine.SetRoot("this-root")
	foreign(p, "gone")
	p.engine.Fail(func(string, ...any) error { return engine.ErrUnreachable })
	found := p.doctor.Examine(t.Context(), "")
	p.engine.Fail(nil)
	if lines := bad(p.doctor.Fix(t.Context(), "", found, event.Log{})); lines != nil {
		t.Errorf("it leaves %q", lines)
	}
	if o, err := p.engine.Observe(t.Context(), "gone"); err != nil || len(o.Instances)+len(o.Networks)+len(o.Images) > 0 {
		t.Errorf("it leaves %+v, %v", o, err)
	}
}

// strange starts a container of a release that the app does not have.
func (p *patient) strange(typ string, release int) {
	p.t.Helper()
	a, err := p.server.Env.Store.Load("shop")
	check(p.t, err)
	_, err = p.engine.Start(p.t.Context(), engine.Spec{App: "shop", Kind: engine.KindDeploy, Type: typ, Index: 1, Release: release,
		Attempt: "strange", Name: "shop." + typ + ".strange", Image: a.Current.Image})
	check(p.t, err)
}

var errTest = errors.New("it is broken")
