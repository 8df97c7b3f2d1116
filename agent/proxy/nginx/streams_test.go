package nginx_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx/nginxtest"
)

// beats is how many messages a stream has, one in beatTime. Together they take longer than
// streamPatience, nginx's proxy-read-timeout in the tests, which is about silence.
const (
	beats          = 15
	beatTime       = 100 * time.Millisecond
	streamPatience = time.Second
)

// echo answers each line with itself, by a WebSocket's upgrade.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: upgrade\r\n\r\n", r.Header.Get("Upgrade"))
	io.Copy(conn, rw)
}

// upgrade asks for a WebSocket.
func upgrade(t *testing.T, s *nginxtest.Server) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", s.Port))
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: hello.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	answer := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answer, nil)
	check(t, err)
	return conn, answer, resp
}

// crowded checks the answer to a request above a limit.
func crowded(t *testing.T, resp *http.Response) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "10" || resp.Header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(string(body), "<p>Too many requests come from your address; please try again in a few seconds.</p>") {
		t.Errorf("above the limit: %s %v\n%s", resp.Status, resp.Header, body)
	}
}

// TestLimitsOfWebSockets: a WebSocket is one request of its address, for as long as it is open and
// however much it carries: it begins once, its messages are none, and another one above the limit
// gets status 429. When one ends, there is room for the next.
func TestLimitsOfWebSockets(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, echo)}
	r.Settings.ReadTimeout, r.Settings.Properties = streamPatience, map[string]string{proxy.LimitConn: "2"}
	check(t, s.Proxy().Publish(t.Context(), r))
	one, fromOne, resp := upgrade(t, s)
	_, _, second := upgrade(t, s)
	if resp.StatusCode != http.StatusSwitchingProtocols || second.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("WebSockets within the limit: %s, %s", resp.Status, second.Status)
	}
	_, _, third := upgrade(t, s)
	crowded(t, third)
	beat := time.NewTicker(beatTime)
	defer beat.Stop()
	for n := range beats {
		<-beat.C
		fmt.Fprintln(one, "message", n)
		if got, err := fromOne.ReadString('\n'); err != nil || got != fmt.Sprintf("message %d\n", n) {
			t.Fatalf("message %d: %q, %v", n, got, err)
		}
	}
	one.Close()
	nginxtest.Eventually(t, "there is room for another WebSocket", func() bool {
		_, _, resp := upgrade(t, s)
		return resp.StatusCode == http.StatusSwitchingProtocols
	})

	r.App, r.Domains = "rated", []string{"hello.example.com"}
	rated := nginxtest.NewServer(t, "")
	r.Settings.Properties = map[string]string{"limit-req": "1r/m", "limit-req-burst": "1"}
	check(t, rated.Proxy().Publish(t.Context(), r))
	conn, answer, resp := upgrade(t, rated)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	upgrade(t, rated)
	_, _, third = upgrade(t, rated)
	crowded(t, third)
	for n := range 100 { // far more than requests may begin
		fmt.Fprintln(conn, n)
		if got, err := answer.ReadString('\n'); err != nil || got != fmt.Sprintln(n) {
			t.Fatalf("message %d: %q, %v", n, got, err)
		}
	}
}

// grpcMessage is a message as gRPC frames it.
func grpcMessage(text string) []byte {
	b := make([]byte, 5, 5+len(text))
	binary.BigEndian.PutUint32(b[1:], uint32(len(text)))
	return append(b, text...)
}

// grpcText reads a message.
func grpcText(r io.Reader) (string, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	text := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, text)
	return string(text), err
}

// A grpcStream is a call that both sides stream.
type grpcStream struct {
	send *io.PipeWriter
	resp *http.Response
}

// TestLimitsOfGRPC: a stream of gRPC (an admin's grpc_pass, over TLS) is one request of its address
// like a WebSocket, though all of a client's streams share one connection: within the limit they live
// and carry messages both ways, and one above it gets status 429, which clients of gRPC take for
// UNAVAILABLE. When one ends, there is room for the next.
func TestLimitsOfGRPC(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		flush := w.(http.Flusher).Flush
		flush()
		for {
			text, err := grpcText(r.Body)
			if err != nil {
				break
			}
			w.Write(grpcMessage("echo " + text))
			flush()
		}
		w.Header().Set("Grpc-Status", "0")
	})}
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })

	r := route(t, "hello", 1)
	c, leaf := s.certificate(t, "hello.example.com")
	r.Certificates = []proxy.Certificate{c}
	r.Settings.Properties = map[string]string{proxy.LimitConn: "2"}
	r.Settings.IncludeDir = t.TempDir()
	check(t, os.Chmod(r.Settings.IncludeDir, 0o755))
	check(t, os.WriteFile(filepath.Join(r.Settings.IncludeDir, "grpc.conf"), []byte(fmt.Sprintf("location /echo.Echo/ {\n    limit_conn_status 429;\n    grpc_read_timeout 1s;\n    grpc_pass grpc://%s;\n}\n", listener.Addr())), 0o644))
	check(t, s.Publish(t.Context(), r))
	client := s.client(leaf)
	open := func() *grpcStream {
		t.Helper()
		read, write := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("https://hello.example.com:%d/echo.Echo/Talk", s.config.TLSPort), read)
		check(t, err)
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
		go write.Write(grpcMessage("first")) // nginx sends no headers before a message
		resp, err := client.Transport.RoundTrip(req)
		check(t, err)
		t.Cleanup(func() { write.Close(); resp.Body.Close() })
		if resp.StatusCode == http.StatusOK {
			if got, err := grpcText(resp.Body); err != nil || got != "echo first" {
				t.Fatalf("the first message: %q, %v", got, err)
			}
		}
		return &grpcStream{write, resp}
	}
	one, two := open(), open()
	if one.resp.StatusCode != http.StatusOK || two.resp.StatusCode != http.StatusOK || one.resp.ProtoMajor != 2 {
		t.Fatalf("streams within the limit: %s, %s over %s", one.resp.Status, two.resp.Status, one.resp.Proto)
	}
	crowded(t, open().resp)
	beat := time.NewTicker(beatTime)
	defer beat.Stop()
	for n := range beats {
		<-beat.C
		for _, stream := range []*grpcStream{one, two} {
			stream.send.Write(grpcMessage(fmt.Sprint(n)))
			if got, err := grpcText(stream.resp.Body); err != nil || got != fmt.Sprint("echo ", n) {
				t.Fatalf("message %d: %q, %v", n, got, err)
			}
		}
	}
	one.send.Close()
	if rest, err := io.ReadAll(one.resp.Body); err != nil || len(rest) != 0 || one.resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("the end of a stream: %q, %v, %v", rest, one.resp.Trailer, err)
	}
	nginxtest.Eventually(t, "there is room for another stream", func() bool {
		stream := open()
		return stream.resp.StatusCode == http.StatusOK
	})
}
