package nginx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// few gives a server's nginx one worker with n connections.
func few(t *testing.T, s *nginxtest.Server, n int) {
	t.Helper()
	s.Kill()
	path := filepath.Join(s.Etc, "nginx.conf")
	text, err := os.ReadFile(path)
	check(t, err)
	changed := strings.NewReplacer("worker_processes 2", "worker_processes 1", "worker_connections 8192", fmt.Sprint("worker_connections ", n)).Replace(string(text))
	check(t, os.WriteFile(path, []byte(changed), 0o644))
	s.Start()
}

// slowClients opens n connections from 127.0.0.2, each of which sends text and then nothing more.
func slowClients(t *testing.T, s *nginxtest.Server, n int, text string) (conns []net.Conn) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
	for range n {
		conn, err := dialer.Dial("tcp", fmt.Sprint("127.0.0.1:", s.Port))
		check(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, text)
		check(t, err)
		conns = append(conns, conn)
	}
	return conns
}

// visit asks for an app as a visitor at another address, who waits for two seconds.
func visit(t *testing.T, s *nginxtest.Server, host string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", s.Port), nil)
	check(t, err)
	req.Host = host
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// TestSlowBodies: a visitor sends the headers of more requests than a worker of Debian's nginx may have
// connections, and never their bodies. Everybody else waited for him. Most are refused now.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	few(t, s, 768)
	r := route(t, "hello", 1)
	r.Settings.Properties = map[string]string{proxy.LimitConn: "512"} // the default is for the 8,192 connections that install.sh sets
	check(t, s.Proxy().Publish(t.Context(), r))
	conns := slowClients(t, s, 1000, "POST / HTTP/1.1\r\nHost: hello.example.com\r\nContent-Length: 1000000\r\n\r\nx")
	nginxtest.Eventually(t, "the other visitor is answered", func() bool {
		body, err := visit(t, s, "hello.example.com")
		return err == nil && body == "hello 1"
	})
	if !slices.ContainsFunc(conns, func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		answer := make([]byte, len("HTTP/1.1 429"))
		n, _ := io.ReadFull(c, answer)
		return string(answer[:n]) == "HTTP/1.1 429"
	}) {
		t.Error("of 1,000 requests of one visitor, none was refused")
	}
}

// TestSlowHeaders: more connections than a worker may have that never send the end of their headers, are
// closed soon, though nginx does not know yet which app they want.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	conf := filepath.Join(s.Etc, "conf.d", "dokku.conf")
	text, err := os.ReadFile(conf)
	check(t, err)
	short := strings.Replace(string(text), "client_header_timeout 20s;", "client_header_timeout 1s;", 1)
	if short == string(text) {
		t.Fatal("headers may take as long as they like")
	}
	check(t, os.WriteFile(conf, []byte(short), 0o644))
	few(t, s, 768)
	check(t, s.Proxy().Publish(t.Context(), route(t, "hello", 1)))
	slowClients(t, s, 1000, "GET / HTTP/1.1\r\nHost: hello.example.com\r\nX-Slow: ")
	nginxtest.Eventually(t, "the other visitor is answered", func() bool {
		body, err := visit(t, s, "hello.example.com")
		return err == nil && body == "hello 1"
	})
}

// TestTrustedCrowd: behind a trusted proxy, the visitors are counted and not the proxy, and an
// address that asks for more than its share is told so.
func TestTrustedCrowd(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	c := s.Config()
	c.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	p := nginx.New(c)
	r := route(t, "hello", 1)
	open := make(chan struct{}, 10)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			open <- struct{}{}
			<-r.Context().Done()
		}
	})}
	r.Settings.Properties = map[string]string{proxy.LimitConn: "1"}
	check(t, p.Publish(t.Context(), r))
	ask := func(from string) int {
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", s.Port), nil)
		check(t, err)
		req.Host = "hello.example.com"
		req.Header.Set("X-Forwarded-For", from)
		status, _ := s.Do(req)
		return status
	}
	slowClients(t, s, 1, "GET /hang HTTP/1.1\r\nHost: hello.example.com\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
	<-open
	if status := ask("192.0.2.1"); status != http.StatusTooManyRequests {
		t.Errorf("a second request of one visitor: status %d", status)
	}
	if status := ask("192.0.2.2"); status != http.StatusOK {
		t.Errorf("another visitor behind the same proxy: status %d", status)
	}
}

// TestLimitReq: an address begins no more requests than its rate and the burst, and another
// app's are not counted. A changed rate takes effect, and an app that lacks it again has none.
func TestLimitReq(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	check(t, s.Proxy().Publish(t.Context(), route(t, "other", 1)))
	for rate, want := range map[string]int{"1r/m": http.StatusTooManyRequests, "": http.StatusOK, "2r/m": http.StatusTooManyRequests} {
		r.Settings.Properties = map[string]string{"limit-req-burst": "2"}
		if rate != "" {
			r.Settings.Properties["limit-req"] = rate
		}
		check(t, s.Proxy().Publish(t.Context(), r))
		status := 0
		for range 5 {
			status, _ = s.Get("hello.example.com", "/")
		}
		if status != want {
			t.Errorf("limit-req %q, the fifth request: status %d, want %d", rate, status, want)
		}
		if status, _ = s.Get("other.example.com", "/"); status != http.StatusOK {
			t.Errorf("limit-req %q of another app: status %d", rate, status)
		}
	}
	// The quick test of another app's file knows the zone.
	check(t, s.Proxy().Publish(t.Context(), route(t, "other", 2)))
}

// TestTemporaryFiles: a client that does not read makes nginx keep little of an answer on the
// disk. nginx took all of it, up to 1 GB a request.
func TestTemporaryFiles(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	const size = 64 << 20
	result := make(chan error, 1)
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(4 * time.Second))
		var err error
		for sent := 0; sent < size && err == nil; sent += 1 << 20 {
			_, err = w.Write(make([]byte, 1<<20))
		}
		result <- err
	})}
	for limit, cut := range map[string]bool{"": true, "0": true, "100m": false} {
		r.Settings.Properties = map[string]string{}
		if limit != "" {
			r.Settings.Properties[proxy.MaxTempFile] = limit
		}
		check(t, s.Proxy().Publish(t.Context(), r))
		conn := slowClients(t, s, 1, "GET / HTTP/1.1\r\nHost: hello.example.com\r\n\r\n")[0]
		check(t, conn.(*net.TCPConn).SetReadBuffer(4096))
		if err := <-result; (err != nil) != cut {
			t.Errorf("proxy-max-temp-file-size %q: the process sent its answer: %v", limit, err)
		}
		used := folderSize(t, filepath.Join(filepath.Dir(s.Etc), "proxy"))
		if most := int64(2 << 20); cut && used > most {
			t.Errorf("proxy-max-temp-file-size %q: %d bytes on the disk, want at most %d", limit, used, most)
		}
		conn.Close()
	}
}

func folderSize(t *testing.T, dir string) (n int64) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		n += info.Size()
		return err
	}))
	return n
}

// TestLongRequests: what stays open for long, or is large, passes as it did: an upload that is
// larger than a temporary file may be, a stream of events to a client that reads, and a slow
// answer.
func TestLongRequests(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	next := make(chan struct{})
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/upload":
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("X-Accel-Buffering", "no")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				<-next
			}
		case "/download":
			io.CopyN(w, zeros{}, 32<<20)
		}
	})}
	r.Settings.ClientMaxBodySize = "100m"
	check(t, s.Proxy().Publish(t.Context(), r))
	do := func(method, path string, body io.Reader) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", s.Port, path), body)
		check(t, err)
		req.Host = "hello.example.com"
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		check(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	if text, err := io.ReadAll(do(http.MethodPost, "/upload", io.LimitReader(zeros{}, 32<<20)).Body); err != nil || string(text) != "33554432 <nil>" {
		t.Errorf("an upload: %q, %v", text, err)
	}
	if n, err := io.Copy(io.Discard, do(http.MethodGet, "/download", nil).Body); err != nil || n != 32<<20 {
		t.Errorf("a download: %d bytes, %v", n, err)
	}
	events := do(http.MethodGet, "/events", nil).Body
	for i := range 3 {
		want := fmt.Sprintf("data: %d\n\n", i)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(events, got); err != nil || string(got) != want {
			t.Errorf("event %d: %q, %v", i, got, err)
		}
		next <- struct{}{}
	}
}

// zeros reads as zeros without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestFewConnections: the doctor learns of a worker that one visitor could fill.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	if err := s.Proxy().Examine(t.Context()).Few; err != nil {
		t.Errorf("8,192 connections: %v", err)
	}
	few(t, s, 768)
	if err := s.Proxy().Examine(t.Context()).Few; err == nil || !strings.Contains(err.Error(), "nginx.conf allows a worker 768 connections") {
		t.Errorf("768 connections: %v", err)
	}
}
