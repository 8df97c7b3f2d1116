package nginx_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// sites makes nginx's reload slow enough for a missing proof to show.
func sites(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "server { listen PORT; server_name site%d.example.net; return 204; }\n", i)
	}
	return b.String()
}

// TestSwitchUnderLoad opens connections at full speed during 30 publications. Each is
// answered, by a release that was live at some moment between its begin and its end.
func TestSwitchUnderLoad(t *testing.T) {
	s := nginxtest.NewServer(t, sites(150))
	p := s.Proxy()
	var begun, done atomic.Int64 // releases
	next := func() {
		n := int(begun.Add(1))
		check(t, p.Publish(t.Context(), route(t, "hello", n)))
		done.Store(int64(n))
	}
	next()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var requests, wrong atomic.Int64
	for range 2 {
		clients.Go(func() {
			for wrong.Load() < 10 {
				select {
				case <-stop:
					return
				default:
				}
				oldest := done.Load()
				body, err := get(s, "hello.example.com")
				newest := begun.Load()
				requests.Add(1)
				release, _ := strconv.ParseInt(strings.TrimPrefix(body, "hello "), 10, 64)
				if err != nil || release < oldest || release > newest {
					wrong.Add(1)
					t.Errorf("opened after release %d was published and before %d was: got %q, %v", oldest, newest+1, body, err)
				}
			}
		})
	}
	for range 30 {
		next()
	}
	close(stop)
	clients.Wait()
	if requests.Load() < 1000 {
		t.Errorf("only %d requests: that proves little", requests.Load())
	}
	t.Logf("%d requests", requests.Load())
}

// TestRequestInFlight: a request that is running at the switch is answered by its process.
func TestRequestInFlight(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	begun, end := make(chan struct{}), make(chan struct{})
	slow := route(t, "hello", 1)
	slow.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-end
		io.WriteString(w, "slow")
	})}
	check(t, p.Publish(t.Context(), slow))
	answer := make(chan string)
	go func() {
		body, err := get(s, "hello.example.com")
		answer <- fmt.Sprint(body, err)
	}()
	<-begun
	for release := 2; release <= 4; release++ {
		check(t, p.Publish(t.Context(), route(t, "hello", release)))
		answers(t, s, "hello", release)
	}
	close(end)
	if got := <-answer; got != "slow<nil>" {
		t.Errorf("the request that was under way: got %s", got)
	}
}

func TestCommandsRun(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	c := s.Config()
	log := s.Dir + "/log"
	c.Check = []string{"sh", "-c", "printf c >> " + log + "; exec sh " + c.Check[1]}
	c.Reload = []string{"sh", "-c", "printf r >> " + log + "; exec sh " + c.Reload[1]}
	p := nginx.New(c)
	one, two, other := route(t, "hello", 1), route(t, "hello", 2), route(t, "other", 1)
	for _, step := range []struct {
		name string
		call func() error
		runs string
	}{
		{"publish unstaged", func() error { return p.Publish(t.Context(), one) }, "cr"},
		{"publish again", func() error { return p.Publish(t.Context(), one) }, ""},
		{"publish from another process", func() error { return s.Proxy().Publish(t.Context(), one) }, ""},
		{"stage", func() error { return p.Stage(t.Context(), two) }, "c"},
		{"publish staged", func() error { return p.Publish(t.Context(), two) }, "r"},
		{"stage the old one", func() error { return p.Stage(t.Context(), one) }, "c"},
		{"publish another app", func() error { return p.Publish(t.Context(), other) }, "cr"},
		{"publish what was staged beside other apps", func() error { return p.Publish(t.Context(), one) }, "cr"},
		{"withdraw", func() error { return p.Withdraw(t.Context(), "other") }, "cr"},
		{"withdraw again", func() error { return p.Withdraw(t.Context(), "other") }, ""},
	} {
		os.Remove(log)
		check(t, step.call())
		if runs, _ := os.ReadFile(log); string(runs) != step.runs {
			t.Errorf("%s: ran %q, want %q (c is a check, r a reload)", step.name, runs, step.runs)
		}
	}
	if trees, _ := os.ReadDir(s.Dir + "/trees"); len(trees) > 3 {
		t.Errorf("%d trees are left over", len(trees))
	}
}

// get requests "/" under a name over a connection of its own; unlike
// Server.Get it may be called from any goroutine.
func get(s *nginxtest.Server, host string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", s.Port), nil)
	if err != nil {
		return "", err
	}
	req.Host = host
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
