package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
	"dokku/agent/proxy"
)

// secondDoor makes a front door of the lab, and enables it.
func secondDoor(l *lab.Lab) *lab.FrontDoor {
	l.T.Helper()
	return enabled(l, l.NewFrontDoor())
}

func enabled(l *lab.Lab, d *lab.FrontDoor) *lab.FrontDoor {
	l.T.Helper()
	d.Allow(l.Dokku("front-door:add", "two", d.Destination()))
	lab.Contains(l.T, l.Dokku("front-door:enable", "two"), "-----> Front door two serves the routes of this server")
	return d
}

// TestFrontDoorOnSwarm: the front door asks the processes on the nodes by itself. Pushes lose no
// request at either door; without the front door's word nothing is pushed; and if the first
// server's nginx is gone, visitors of the front door are served.
func TestFrontDoorOnSwarm(t *testing.T) {
	l, s := onSwarm(t, 3, 1, nil)
	d := enabled(l, l.NewFrontDoorAt(s.Attach))
	a := l.App(lab.Files{"Procfile": "web: /server\n", "DOKKU_SCALE": "web=3\n"})
	a.Push(nil)
	here, there, versions := load.Ask(a, "/", 50), load.AskAt(a, d.Visit(), "/", 50), load.Watch(a)
	for _, text := range []string{"one", "two"} {
		a.Push(lab.Files{"greeting.txt": text})
	}
	d.KillSSH()
	served := a.Tip("main")
	a.Commit(lab.Files{"greeting.txt": "three"})
	lab.Contains(t, a.Pushing().Fails(), "front door two (", "To go on without it")
	if a.Tip("main") != served {
		t.Error("git has accepted the push")
	}
	d.StartSSH()
	a.Push(lab.Files{"greeting.txt": "four"})
	list := versions.Stop()
	here.Check(list)
	l.Nginx.Kill()
	for range 20 {
		if status, body, err := a.Ask(d.Visit(), "/"); err != nil || status != 200 || !strings.HasPrefix(body, a.Tip("main")) {
			t.Fatalf("without the first server: %d %q, %v", status, body, err)
		}
	}
	there.Check(list)
	l.Nginx.Start()
}

// TestFrontDoor: an app of one machine is reached through a second server too, over TLS as
// well; pushes lose no request there, and what the first server's processes do
// does not matter to visitors.
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	a := l.Deployed(nil)
	d := secondDoor(l)
	if status, body, err := a.Ask(d.Visit(), "/"); err != nil || status != 200 || !strings.HasPrefix(body, a.Tip("main")) {
		t.Fatalf("the front door answers %d %q, %v", status, body, err)
	}
	if status, body, err := a.Ask(d.Visit(), "/forwarded"); err != nil || status != 200 || body != fmt.Sprintf("%s http %d", d.Server, d.Nginx.Port) {
		t.Errorf("the app sees %d %q, %v", status, body, err)
	}
	here, there, versions := load.Ask(a, "/", 50), load.AskAt(a, d.Visit(), "/", 50), load.Watch(a)
	for _, text := range []string{"one", "two"} {
		a.Push(lab.Files{"greeting.txt": text})
	}
	// Routes that the front door has to take over.
	l.Dokku("domains:add", a.Name, "more.example.com")
	l.Dokku("nginx:set", a.Name, "client-max-body-size", "5m")
	d.KillSSH() // a deploy that changes nothing there does not need it
	a.Push(lab.Files{"greeting.txt": "three"})
	lab.Contains(t, l.Refused("domains:add", a.Name, "unreachable.example.com"), "front door two (", "To go on without it", "dokku front-door:disable two")
	lab.Contains(t, l.Refused("front-door:report"), "front door two (")
	d.StartSSH()
	lab.WaitFor(t, "the agent has sent what is missing", func() bool {
		out, code := l.Try("front-door:report")
		return code == 0 && !strings.Contains(out, "unreachable")
	})
	// Nothing of ours on the first server runs.
	lab.EndProcess(l.Agent)
	for _, pid := range l.Processes("") {
		unix.Kill(pid, unix.SIGKILL)
	}
	if status, _, err := a.Ask(d.Visit(), "/"); status != 200 || err != nil {
		t.Errorf("the front door answers %d, %v", status, err)
	}
	list := versions.Stop()
	here.Answered(list)
	there.Answered(list)
}

// TestFrontDoorOverTLS: the front door has the app's certificate, and asks the first server
// over TLS.
func TestFrontDoorOverTLS(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	d := secondDoor(l)
	l.Dokku("certs:generate", a.Name, a.Name+".e2e.test")
	conn, err := tls.Dial("tcp", fmt.Sprintf("%s:%d", d.Address, d.Nginx.TLSPort), &tls.Config{ServerName: a.Name + ".e2e.test", InsecureSkipVerify: true})
	lab.Must(t, err)
	defer conn.Close()
	if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname(a.Name + ".e2e.test"); err != nil {
		t.Error(err)
	}
	fmt.Fprintf(conn, "GET /forwarded HTTP/1.1\r\nHost: %s.e2e.test\r\nConnection: close\r\n\r\n", a.Name)
	answer, err := io.ReadAll(conn)
	lab.Must(t, err)
	if want := fmt.Sprintf("%s https %d", d.Server, d.Nginx.TLSPort); !strings.HasPrefix(string(answer), "HTTP/1.1 200") || !strings.Contains(string(answer), want) {
		t.Errorf("want 200 and %q in\n%s", want, answer)
	}
	if status, _, err := a.Ask(d.Visit(), "/"); status != http.StatusMovedPermanently || err != nil {
		t.Errorf("a plain request is answered with %d, %v", status, err)
	}
}

// A process is a web process that both servers reach, as one of a swarm.
type process struct {
	*httptest.Server
	address netip.AddrPort
}

func newProcess(t *testing.T, at, text string) *process {
	t.Helper()
	listener, err := net.Listen("tcp", at+":0")
	lab.Must(t, err)
	s := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })}}
	s.Start()
	t.Cleanup(s.Close)
	return &process{s, netip.MustParseAddrPort(listener.Addr().String())}
}

// visits asks an address until it is stopped, over a new connection each time, and counts
// what is no answer of a process.
func visits(t *testing.T, address string) (stop func() int) {
	end, done := make(chan struct{}), make(chan struct{})
	var sent atomic.Int64
	var wrong []string
	go func() {
		defer close(done)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
		for {
			select {
			case <-end:
				return
			default:
			}
			sent.Add(1)
			req, _ := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
			req.Host = "placed.example.com"
			resp, err := client.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 {
					err = errors.New(resp.Status)
				}
			}
			if err != nil {
				wrong = append(wrong, err.Error())
			}
		}
	}()
	return func() int {
		t.Helper()
		close(end)
		<-done
		if len(wrong) > 0 {
			t.Errorf("%d of %d requests to %s went wrong: %s", len(wrong), sent.Load(), address, wrong[0])
		}
		return int(sent.Load())
	}
}

// TestFrontDoorSwitches: processes that the front door reaches by itself are replaced
// without a lost request there or here, also when the front door dies in the middle; and the
// front door serves on without the first server's nginx.
func TestFrontDoorSwitches(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	d := secondDoor(l)
	server, err := agent.Open(l.Root)
	lab.Must(t, err)
	set, err := server.Settings()
	lab.Must(t, err)
	t.Cleanup(server.Doors(set).Pool.Close)
	px := server.Env.Proxy(set)
	own := filepath.Join(t.TempDir(), "conf")
	lab.Must(t, os.Mkdir(own, 0o755))
	lab.Must(t, os.WriteFile(filepath.Join(own, "own.conf"), []byte("location = /own { return 200 own; }\n"), 0o644))
	release := 0
	next := func() (*process, proxy.Route) {
		release++
		p := newProcess(t, d.Server, fmt.Sprint("release ", release))
		return p, proxy.Route{App: "placed", Release: release, Domains: []string{"placed.example.com"}, Upstreams: []netip.AddrPort{p.address}, Elsewhere: true,
			Settings: proxy.Settings{IncludeDir: own, Properties: map[string]string{proxy.AccessLogPath: l.Nginx.Logs + "/placed-access.log", proxy.ErrorLogPath: l.Nginx.Logs + "/placed-error.log"}}}
	}
	old, r := next()
	lab.Must(t, px.Stage(t.Context(), r))
	lab.Must(t, px.Publish(t.Context(), r))
	here, there := visits(t, fmt.Sprintf("127.0.0.1:%d", l.Nginx.Port)), visits(t, d.Visit())
	for range 8 {
		p, r := next()
		lab.Must(t, px.Stage(t.Context(), r))
		lab.Must(t, px.Publish(t.Context(), r))
		old.Close() // refuses connections at once
		old = p
	}
	// It dies after nginx was told, before the answer.
	p, r := next()
	lab.Must(t, px.Stage(t.Context(), r))
	d.Hold()
	published := make(chan error, 1)
	go func() { published <- px.Publish(t.Context(), r) }()
	lab.WaitFor(t, "the front door publishes", d.Reached)
	d.KillSSH()
	err = <-published
	if err == nil {
		t.Fatal("published without the front door's word")
	}
	lab.Contains(t, err.Error(), "front door two", "dokku front-door:disable two")
	live, ok, err := px.Live(t.Context(), "placed")
	if err != nil || !ok || !live.Outdated || live.Release != r.Release-1 || !slices.Contains(live.Upstreams, old.address) || !slices.Contains(live.Upstreams, p.address) {
		t.Errorf("live is %+v, %t, %v", live, ok, err)
	}
	d.Release() // what was started there may go on, or not
	d.StartSSH()
	lab.Must(t, px.Publish(t.Context(), r))
	old.Close()
	if status, body := visit(t, d, "/own"); status != 200 || body != "own" {
		t.Errorf("the admin's own files: %d %q", status, body)
	}
	if n := here(); n < 50 {
		t.Errorf("only %d requests here", n)
	}
	l.Nginx.Kill()
	if status, body := visit(t, d, "/"); status != 200 || body != fmt.Sprint("release ", release) {
		t.Errorf("without the first server: %d %q", status, body)
	}
	if n := there(); n < 50 {
		t.Errorf("only %d requests there", n)
	}
	l.Nginx.Start()
	checkRecord(t, server, set)
}

func visit(t *testing.T, d *lab.FrontDoor, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+d.Visit()+path, nil)
	lab.Must(t, err)
	req.Host = "placed.example.com"
	return d.Nginx.Do(req)
}

// checkRecord: the front door's own word agrees with what it has proven.
func checkRecord(t *testing.T, server *agent.Server, set app.Settings) {
	t.Helper()
	r, err := server.Doors(set).Look(t.Context(), "two", set.FrontDoors["two"], true)
	lab.Must(t, err)
	if len(r.Doubted)+len(r.Troubles) > 0 || !slices.Equal(r.Apps, []string{"placed"}) {
		t.Errorf("%+v", r)
	}
}
