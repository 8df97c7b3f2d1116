package nginxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/disk"
	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
)

// Server is an nginx of a test's own, with its own folder and port. Its check
// and reload scripts are those of an installation, with other paths in them.
type Server struct {
	Dir  string // nginx.Config.Dir
	Etc  string // in the place of /etc/nginx
	Port int
	// TLSPort is a free port for names with a certificate.
	TLSPort int
	Logs    string // a folder for the apps' logs

	t    testing.TB
	conf string
	cmd  *exec.Cmd
	pid  string
}

// NewServer starts an nginx whose http block ends with extra, in which PORT
// stands for its port. It ends with the test.
func NewServer(t testing.TB, extra string) *Server {
	t.Helper()
	root := t.TempDir()
	s := &Server{
		t: t, Port: freePort(t), TLSPort: freePort(t),
		Dir:  filepath.Join(root, "dokku"),
		Etc:  filepath.Join(root, "etc"),
		Logs: filepath.Join(root, "log"),
		conf: filepath.Join(root, "etc", "nginx.conf"),
		pid:  filepath.Join(root, "nginx.pid"),
	}
	must(t, os.MkdirAll(filepath.Join(s.Etc, "conf.d"), 0o755))
	must(t, os.Mkdir(s.Logs, 0o755))
	s.write("etc/conf.d/dokku.conf", nginx.ConfD(s.Dir))
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // workers of the user nobody could not enter a test's folders
	}
	s.write("etc/nginx.conf", user+fmt.Sprintf(`worker_processes 2;
pid %s;
error_log %s/error.log;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path %[2]s/body;
    proxy_temp_path %[2]s/proxy;
    fastcgi_temp_path %[2]s/fastcgi;
    uwsgi_temp_path %[2]s/uwsgi;
    scgi_temp_path %[2]s/scgi;
    include %[3]s/conf.d/*.conf;
%[4]s
}
`, s.pid, root, s.Etc, strings.ReplaceAll(extra, "PORT", strconv.Itoa(s.Port))))
	s.Script("check", nginx.CheckScript(s.Dir, "/etc/nginx/conf.d/dokku.conf"))
	s.Script("reload", nginx.ReloadScript())
	// Makes the first tree, so that nginx starts with a generation.
	must(t, s.Proxy().Withdraw(t.Context(), "none"))
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Script writes a script of an installation, with this server's paths, and
// returns its path.
func (s *Server) Script(name, text string) string {
	copied := `nginx -t -q -c "$copy/etc/nginx.conf"`
	text = strings.NewReplacer(
		"/run/nginx.pid", s.pid,
		"/etc/nginx", s.Etc,
		copied, copied,
		"nginx -t -q", "nginx -t -q -c "+s.conf,
	).Replace(text)
	return s.write(name, text)
}

func (s *Server) write(name, text string) string {
	path := filepath.Join(filepath.Dir(s.Etc), name)
	must(s.t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

// Config is the configuration of nginx.New for this server.
func (s *Server) Config() nginx.Config {
	root := filepath.Dir(s.Etc)
	return nginx.Config{
		Dir: s.Dir, Files: filepath.Join(root, "files"), Port: s.Port, TLSPort: s.TLSPort, IPv6: true, Main: s.conf, Hostnames: []string{"box.example.net"},
		Check:  []string{"sh", filepath.Join(root, "check")},
		Reload: []string{"sh", filepath.Join(root, "reload")},
	}
}

// Proxy returns a proxy for this server.
func (s *Server) Proxy() *nginx.Proxy { return nginx.New(s.Config()) }

// Start starts nginx and waits until it accepts connections.
func (s *Server) Start() {
	s.t.Helper()
	out := &bytes.Buffer{}
	s.cmd = exec.Command("nginx", "-c", s.conf, "-g", "daemon off;")
	s.cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(s.t, s.cmd.Start())
	// The master listens on one port after the other; a worker answers when all are there.
	Eventually(s.t, "nginx answers", func() bool {
		conn, err := net.DialTimeout("tcp", s.address(), time.Second)
		if err != nil {
			return false
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		n, err := conn.Read(make([]byte, 1))
		return n > 0 || errors.Is(err, io.EOF)
	})
}

// Kill kills nginx's master and workers, with no chance to tidy up.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	s.cmd.Wait()
	s.cmd = nil
	Eventually(s.t, "the port is free", func() bool {
		conn, err := net.Dial("tcp", s.address())
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Get requests path under a name, over a connection of its own.
func (s *Server) Get(host, path string) (status int, body string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+s.address()+path, nil)
	must(s.t, err)
	req.Host = host
	return s.Do(req)
}

// Do sends a request over a connection of its own.
func (s *Server) Do(req *http.Request) (status int, body string) {
	s.t.Helper()
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(s.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return resp.StatusCode, string(data)
}

// Process starts a web process that answers text to every request.
func Process(t testing.TB, text string) netip.AddrPort {
	return Handler(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

// Handler starts a web process.
func Handler(t testing.TB, handle http.HandlerFunc) netip.AddrPort {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// Eventually waits for a condition, for at most ten seconds.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", ":0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Fill puts the files of n more apps into the live tree, all alike but for
// their names. nginx reads them when it starts.
func (s *Server) Fill(n int) { s.fill(n, nil, func(int) string { return "" }) }

// FillTLS is Fill for apps that have a certificate each.
func (s *Server) FillTLS(n int) {
	dir := filepath.Join(s.Dir, "certificates")
	must(s.t, os.MkdirAll(dir, 0o711))
	pair := func(i int) string {
		p, err := certs.SelfSigned([]string{fmt.Sprintf("fill%d.example.com", i)}, time.Now())
		must(s.t, err)
		id := fmt.Sprintf("%08d", i)
		files := map[string][]byte{proxy.CertificateFile: p.Chain, proxy.KeyFile: p.Key}
		must(s.t, disk.Disk{}.Folder(filepath.Join(dir, id), files))
		return id
	}
	domain := []string{"fill.example.com"}
	s.fill(n, []proxy.Certificate{{ID: pair(n), Dir: filepath.Join(dir, fmt.Sprintf("%08d", n)), Domains: domain}}, pair)
}

// fill writes the files by the model of an app with certificates. id makes a certificate
// for the ith of them.
func (s *Server) fill(n int, certificates []proxy.Certificate, id func(i int) string) {
	upstream := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}
	must(s.t, s.Proxy().Publish(s.t.Context(), proxy.Route{App: "fill", Domains: []string{"fill.example.com"}, Upstreams: upstream, Certificates: certificates}))
	text, err := os.ReadFile(filepath.Join(s.Dir, "live", "fill.conf"))
	must(s.t, err)
	for i := range n {
		name := fmt.Sprintf("fill%d", i)
		file := bytes.ReplaceAll(text, []byte("fill"), []byte(name))
		if len(certificates) > 0 {
			file = bytes.ReplaceAll(file, []byte(certificates[0].ID), []byte(id(i)))
		}
		must(s.t, os.WriteFile(filepath.Join(s.Dir, "live", name+".conf"), file, 0o644))
	}
}
