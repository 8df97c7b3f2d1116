package buildtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/docker/docker/client"
)

// A Strike is what a Relay does at the request that Plan names.
type Strike string

// The strikes. After a kill nobody is answered until the next Plan, and all connections
// end: for the engine, the program that called is dead.
const (
	KillBefore Strike = "killed before" // the engine never gets the request
	KillAfter  Strike = "killed after"  // the engine has carried it out; its answer is lost
	KillDuring Strike = "killed during" // the engine gets a part of what is sent
	Refuse     Strike = "refused"       // the engine answers with an error, and goes on
)

// A Relay stands before the Docker Engine and strikes at one of the requests of a client.
type Relay struct {
	Address string // for a client: unix:///...

	proxy *httputil.ReverseProxy

	mu       sync.Mutex
	counting bool
	requests []string
	at       Call
	strike   Strike
	dead     bool
	conns    map[net.Conn]bool
}

// NewRelay starts a Relay until the test's end.
func NewRelay(t testing.TB, cli *client.Client) *Relay {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engine.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dial := cli.Dialer()
	transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	r := &Relay{Address: "unix://" + path, conns: map[net.Conn]bool{}}
	r.proxy = &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(&url.URL{Scheme: "http", Host: "docker"}) }}
	server := &http.Server{Handler: r, ConnState: r.note}
	var wait sync.WaitGroup
	wait.Go(func() { server.Serve(listener) })
	t.Cleanup(func() {
		r.kill()
		server.Close()
		wait.Wait()
		transport.CloseIdleConnections()
	})
	return r
}

// note keeps the open connections. One that was taken over for a stream stays open for us.
func (r *Relay) note(c net.Conn, s http.ConnState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s == http.StateNew && r.dead:
		c.Close()
	case s == http.StateNew:
		r.conns[c] = true
	case s == http.StateClosed:
		delete(r.conns, c)
	}
}

// A Call is a request as Requests has it, and which one of these, from 1. Builds make
// requests at the same time, so that the place among all of them differs from build to
// build.
type Call struct {
	Request string
	Nth     int
}

func (c Call) String() string { return fmt.Sprintf("%s, no. %d", c.Request, c.Nth) }

// Plan strikes at a call that is counted from now on; the zero Call: never.
func (r *Relay) Plan(at Call, s Strike) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.strike, r.requests, r.dead = at, s, nil, false
}

// Calls returns the requests that were counted since Plan as calls.
func (r *Relay) Calls() (list []Call) {
	seen := map[string]int{}
	for _, request := range r.Requests() {
		seen[request]++
		list = append(list, Call{request, seen[request]})
	}
	return list
}

// Count begins or ends the counting of requests.
func (r *Relay) Count(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counting = on
}

// Requests are the requests that were counted since Plan, such as "POST /containers/create".
func (r *Relay) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Dead reports whether a kill has struck since Plan.
func (r *Relay) Dead() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

func (r *Relay) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead = true
	for c := range r.conns {
		c.Close()
	}
	clear(r.conns)
}

// ids are what differs in the same request of two builds.
var ids = regexp.MustCompile(`^/v[0-9.]+|sha256:[0-9a-f]{64}|[0-9a-f]{64}|-[12]$`)

// ServeHTTP implements http.Handler.
func (r *Relay) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	strike := Strike("")
	if r.counting && !r.dead {
		request := q.Method + " " + ids.ReplaceAllString(q.URL.Path, "")
		r.requests = append(r.requests, request)
		if request == r.at.Request {
			if r.at.Nth--; r.at.Nth == 0 {
				strike = r.strike
			}
		}
	}
	dead := r.dead
	r.mu.Unlock()
	switch {
	case dead:
		panic(http.ErrAbortHandler)
	case strike == KillBefore:
		r.die()
	case strike == Refuse:
		http.Error(w, `{"message":"the test refuses it"}`, http.StatusInternalServerError)
		return
	case strike == KillDuring:
		q.Body = &cut{q.Body, r}
	case strike == KillAfter:
		w = &unanswered{w, r}
	}
	r.proxy.ServeHTTP(w, q)
}

func (r *Relay) die() {
	r.kill()
	panic(http.ErrAbortHandler)
}

// cut is a request's body that breaks off.
type cut struct {
	io.ReadCloser
	relay *Relay
}

// Read implements io.Reader.
func (c *cut) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.relay.kill()
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n / 2, err
}

// unanswered loses an answer as soon as it begins.
type unanswered struct {
	http.ResponseWriter
	relay *Relay
}

// WriteHeader implements http.ResponseWriter.
func (u *unanswered) WriteHeader(int) { u.relay.die() }

// Hijack implements http.Hijacker: the answer to an attach is a connection.
func (u *unanswered) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	u.relay.die()
	return nil, nil, http.ErrAbortHandler
}
