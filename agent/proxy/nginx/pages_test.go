package nginx_test

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// request sends a request with headers, given as names and values.
func request(t *testing.T, s *nginxtest.Server, host string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))+"/", nil)
	check(t, err)
	req.Host = host
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	check(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	return string(text)
}

// showsPage checks what a visitor is told.
func showsPage(t *testing.T, s *nginxtest.Server, host string, status int, retry, sentence string) {
	t.Helper()
	resp := request(t, s, host)
	text := body(t, resp)
	if resp.StatusCode != status || resp.Header.Get("Retry-After") != retry || !strings.Contains(text, sentence) ||
		!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s answers %d, %v\n%s\nwant %d, Retry-After %q, %q", host, resp.StatusCode, resp.Header, text, status, retry, sentence)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, debianSite)
	p := s.Proxy()
	showsPage(t, s, "hello.example.com", 404, "", "There is no site at this address")
	r := route(t, "hello", 1)
	dead := r
	dead.Upstreams = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}
	check(t, p.Publish(t.Context(), dead))
	showsPage(t, s, "hello.example.com", 502, "", "This site does not answer at the moment")
	empty := r
	empty.Upstreams = nil
	check(t, p.Publish(t.Context(), empty))
	showsPage(t, s, "hello.example.com", 503, "60", "This site is not running at the moment")
	showsPage(t, s, "127.0.0.1", 503, "60", "This site is not running at the moment")
	empty.Stopped = true
	check(t, p.Publish(t.Context(), empty))
	showsPage(t, s, "hello.example.com", 503, "60", "This site is switched off at the moment")
	check(t, p.Withdraw(t.Context(), "hello"))
	showsPage(t, s, "hello.example.com", 404, "", "There is no site at this address")
}

// TestOwnAnswers: an app's own errors pass as they are.
func TestOwnAnswers(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	status := 0
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, "mine")
	})}
	check(t, s.Proxy().Publish(t.Context(), r))
	for _, status = range []int{404, 500, 502, 503, 504} {
		if got, text := s.Get("hello.example.com", "/"); got != status || text != "mine" {
			t.Errorf("the app answers %d, the client gets %d %q", status, got, text)
		}
	}
}

func TestOwnPages(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, debianSite)
	pages := filepath.Join(filepath.Dir(s.Etc), "pages")
	check(t, os.Mkdir(pages, 0o755))
	for _, status := range []string{"404", "503"} {
		check(t, os.WriteFile(filepath.Join(pages, status+".html"), []byte("our "+status), 0o644))
	}
	c := s.Config()
	c.ErrorPages = pages
	p := nginx.New(c)
	r := proxy.Route{App: "hello", Domains: []string{"hello.example.com"}, Settings: proxy.Settings{Properties: map[string]string{"error-pages": pages}}}
	check(t, p.Publish(t.Context(), r))
	showsPage(t, s, "hello.example.com", 503, "60", "our 503")
	showsPage(t, s, "unknown.example.com", 404, "", "our 404")
	if status, text := s.Get("hello.example.com", "/.dokku/503.html"); status != 404 || text == "our 503" {
		t.Errorf("the page's own path answers %d %q", status, text)
	}
	// A POST has no other page, and a missing file leaves ours.
	req, err := http.NewRequest(http.MethodPost, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))+"/", strings.NewReader("x"))
	check(t, err)
	req.Host = "hello.example.com"
	if status, text := s.Do(req); status != 503 || text != "our 503" {
		t.Errorf("a POST is answered with %d %q", status, text)
	}
	check(t, os.Remove(filepath.Join(pages, "503.html")))
	showsPage(t, s, "hello.example.com", 503, "60", "This site is not running at the moment")
}

// TestLargeHeaders: apps that set many cookies.
func TestLargeHeaders(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.Header.Get("Kilobytes"))
		for range n {
			w.Header().Add("Set-Cookie", strings.Repeat("c", 1000))
		}
	})}
	check(t, s.Proxy().Publish(t.Context(), r))
	for kilobytes, want := range map[string]int{"15": 200, "20": 200, "60": 200, "70": 502} {
		if resp := request(t, s, "hello.example.com", "Kilobytes", kilobytes); resp.StatusCode != want {
			t.Errorf("headers of %s kB: %s, want %d", kilobytes, resp.Status, want)
		}
	}
	r.Settings.Properties = map[string]string{"proxy-buffer-size": "128k"}
	check(t, s.Proxy().Publish(t.Context(), r))
	if resp := request(t, s, "hello.example.com", "Kilobytes", "70"); resp.StatusCode != 200 {
		t.Errorf("headers of 70 kB in a buffer of 128 kB: %s", resp.Status)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	text := strings.Repeat("text ", 1000)
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Wanted"))
		io.WriteString(w, text)
	})}
	check(t, s.Proxy().Publish(t.Context(), r))
	for kind, want := range map[string]string{
		"text/html; charset=utf-8": "gzip", "text/plain": "gzip", "application/json": "gzip", "application/javascript": "gzip",
		"image/svg+xml": "gzip", "image/png": "", "text/event-stream": "", "application/zip": "",
	} {
		resp := request(t, s, "hello.example.com", "Wanted", kind, "Accept-Encoding", "gzip", "Via", "1.1 cdn")
		if got := resp.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%s is encoded as %q, want %q", kind, got, want)
			continue
		}
		if want == "gzip" {
			z, err := gzip.NewReader(resp.Body)
			check(t, err)
			if plain, err := io.ReadAll(z); err != nil || string(plain) != text {
				t.Errorf("%s: %d bytes, %v", kind, len(plain), err)
			}
		}
	}
	if got := request(t, s, "hello.example.com", "Wanted", "text/plain").Header.Get("Content-Encoding"); got != "" {
		t.Errorf("a client that knows no encoding gets %q", got)
	}
}
