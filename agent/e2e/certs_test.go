package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/e2e/lab"
)

// pair makes a certificate for names, as two files in a folder.
func pair(t *testing.T, names ...string) (dir string, leaf *x509.Certificate) {
	t.Helper()
	p, err := certs.SelfSigned(names, time.Now())
	lab.Must(t, err)
	dir = t.TempDir()
	lab.Must(t, os.WriteFile(filepath.Join(dir, "server.crt"), p.Chain, 0o600))
	lab.Must(t, os.WriteFile(filepath.Join(dir, "server.key"), p.Key, 0o600))
	return dir, p.Leaf
}

// status is what the answer of browse begins with, unless there was no answer.
var status = regexp.MustCompile(`^[0-9]{3} `)

// browse opens a URL like a browser that trusts a certificate, over a connection of its
// own. Names lead to the lab's nginx.
func browse(t *testing.T, leaf *x509.Certificate, url string) (answer, header string) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
		}}
	req, err := http.NewRequest(http.MethodGet, url, nil)
	lab.Must(t, err)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err.Error(), ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	lab.Must(t, err)
	return fmt.Sprintf("%d %s", resp.StatusCode, bytes.TrimSpace(body)), resp.Header.Get("Location")
}

// sendPair sends a certificate as people do: a tar on standard input over ssh.
func sendPair(l *lab.Lab, dir, line string) (string, int) {
	l.T.Helper()
	ssh := exec.Command(l.Front.SSH[0], append(l.Front.SSH[1:], l.Front.Dest, line)...)
	archive, err := exec.Command("tar", "-C", dir, "-c", "server.crt", "server.key").Output()
	lab.Must(l.T, err)
	ssh.Stdin = bytes.NewReader(archive)
	return l.Start(ssh).Wait()
}

// TestCertificates: an app that gets a certificate is served over TLS by its names at once,
// keeps it through pushes, a rename and a backup, and goes back to plain HTTP without it.
func TestCertificates(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	a := l.Deployed(nil)
	name := "shop.example.com"
	l.Dokku("domains:set", a.Name, name)
	dir, leaf := pair(t, name, "www.example.com")
	secure := fmt.Sprintf("https://%s:%d", name, l.Nginx.TLSPort)
	plain := fmt.Sprintf("http://%s:%d", name, l.Nginx.Port)

	out, code := sendPair(l, dir, "certs:add "+a.Name)
	if code != 0 {
		t.Fatalf("certs:add ends with %d:\n%s", code, out)
	}
	lab.Contains(t, out, "Set the certificate of "+a.Name+" for "+name+" www.example.com, valid until ", secure)
	lab.Contains(t, out, // on standard error, so before or after the other lines
		"www.example.com is in the certificate and no domain of "+a.Name+": ssh ", " domains:add "+a.Name+" www.example.com adds it")
	lab.Lacks(t, out, plain+"\n")
	want := "200 " + a.Tip("main")
	if got, _ := browse(t, leaf, secure+"/"); !strings.HasPrefix(got, want) {
		t.Errorf("over TLS: %s, want %s", got, want)
	}
	if got, to := browse(t, leaf, plain+"/a?b"); !strings.HasPrefix(got, "301 ") || to != secure+"/a?b" {
		t.Errorf("plain: %s to %s, want 301 to %s", got, to, secure)
	}
	lab.Contains(t, a.Push(lab.Files{"version": "2", "CHECKS": "/forwarded https\n"}), secure)
	want = "200 " + a.Tip("main")
	if got, _ := browse(t, leaf, secure+"/"); !strings.HasPrefix(got, want) {
		t.Errorf("after a push: %s, want %s", got, want)
	}
	if got := l.Dokku("urls", a.Name); got != secure+"\n" {
		t.Errorf("urls: %q", got)
	}
	lab.Contains(t, l.Dokku("certs:report", a.Name), "Ssl enabled:", "true", name+" www.example.com", "self signed")
	block, _ := pem.Decode([]byte(l.Dokku("certs:show", a.Name, "crt")))
	if block == nil || !bytes.Equal(block.Bytes, leaf.Raw) {
		t.Error("certs:show crt shows another certificate")
	}
	lab.Contains(t, l.Dokku("certs:show", a.Name, "key"), "BEGIN PRIVATE KEY")

	// What is wrong changes nothing.
	other, _ := pair(t, name)
	lab.Must(t, os.Rename(filepath.Join(other, "server.key"), filepath.Join(dir, "server.key")))
	out, code = sendPair(l, dir, "certs:update "+a.Name)
	if code == 0 || !strings.Contains(out, "Cannot use this certificate: the key does not belong to the certificate of "+name) {
		t.Errorf("certs:update with another's key: %d:\n%s", code, out)
	}
	out, code = l.OverSSH("certs:add " + a.Name + " /etc/ssl/certs/x.crt /etc/ssl/private/x.key")
	if code == 0 || !strings.Contains(out, "Over ssh, files are on your machine") {
		t.Errorf("files over ssh: %d:\n%s", code, out)
	}

	renamed := a.Renamed().Name
	l.Dokku("apps:rename", a.Name, renamed)
	if got, _ := browse(t, leaf, secure+"/"); !strings.HasPrefix(got, want) {
		t.Errorf("after the rename: %s, want %s", got, want)
	}
	file := filepath.Join(t.TempDir(), "backup")
	l.Dokku("backup", "--output", file, renamed)
	l.Dokku("apps:destroy", "--force", renamed)
	if got, _ := browse(t, leaf, secure+"/"); status.MatchString(got) {
		t.Errorf("after apps:destroy: %s, want no connection", got)
	}
	l.Dokku("restore", "--input", file)
	if got, _ := browse(t, leaf, secure+"/"); !strings.HasPrefix(got, want) {
		t.Errorf("after the restore: %s, want %s", got, want)
	}

	l.Dokku("certs:remove", renamed)
	if got, _ := browse(t, leaf, plain+"/"); !strings.HasPrefix(got, want) {
		t.Errorf("without the certificate: %s, want %s", got, want)
	}
	lab.Contains(t, l.Refused("certs:remove", renamed), "App "+renamed+" has no certificate of its own: add one with dokku certs:add "+renamed+" CRT KEY")
}

// nginxVersion is the version of the nginx that the labs run.
var nginxVersion = regexp.MustCompile(`nginx/1\.([0-9]+)\.([0-9]+)`)

// TestHTTP2: an app with a certificate is served by HTTP/2, which nginx 1.25.1 switches on
// by another directive than the versions before.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	name := a.Name + ".e2e.test"
	l.Dokku("certs:generate", a.Name, name)
	block, _ := pem.Decode([]byte(l.Dokku("certs:show", a.Name, "crt")))
	leaf, err := x509.ParseCertificate(block.Bytes)
	lab.Must(t, err)
	if got, _ := browse(t, leaf, fmt.Sprintf("https://%s:%d/", name, l.Nginx.TLSPort)); !strings.HasPrefix(got, "200 "+a.Tip("main")) {
		t.Errorf("over TLS: %s", got)
	}
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.Nginx.TLSPort),
		&tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	lab.Must(t, err)
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("nginx chooses %q, want h2", got)
	}
	said, err := exec.Command("nginx", "-v").CombinedOutput()
	lab.Must(t, err)
	m := nginxVersion.FindStringSubmatch(string(said))
	if m == nil {
		t.Fatalf("nginx -v says %q", said)
	}
	minor, _ := strconv.Atoi(m[1])
	patch, _ := strconv.Atoi(m[2])
	file := l.Dokku("nginx:show-config", a.Name)
	if minor > 25 || minor == 25 && patch > 0 {
		lab.Contains(t, file, fmt.Sprintf("listen %d ssl;", l.Nginx.TLSPort), "http2 on;")
	} else {
		lab.Contains(t, file, fmt.Sprintf("listen %d ssl http2;", l.Nginx.TLSPort))
		lab.Lacks(t, file, "http2 on;")
	}
}

// TestServerCertificate: a wildcard of the server serves all apps below it, and an app's
// own certificate wins.
func TestServerCertificate(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	b := l.Deployed(nil)
	dir, leaf := pair(t, "*.e2e.test")
	l.Dokku("domains:add", b.Name, "b.example.com")
	lab.Contains(t, l.Dokku("certs:add", "--global", filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")),
		"Set the server's certificate for *.e2e.test, valid until ")
	url := func(name string) string { return fmt.Sprintf("https://%s:%d/", name, l.Nginx.TLSPort) }
	for _, x := range []*lab.App{a, b} {
		if got, _ := browse(t, leaf, url(x.Name+".e2e.test")); !strings.HasPrefix(got, "200 "+x.Tip("main")) {
			t.Errorf("%s: %s", x.Name, got)
		}
	}
	if got, _ := browse(t, leaf, fmt.Sprintf("http://b.example.com:%d/", l.Nginx.Port)); !strings.HasPrefix(got, "200 "+b.Tip("main")) {
		t.Errorf("a name that it does not cover: %s", got)
	}
	own, ownLeaf := pair(t, "b.example.com")
	l.Dokku("certs:add", b.Name, filepath.Join(own, "server.crt"), filepath.Join(own, "server.key"))
	if got, _ := browse(t, ownLeaf, url("b.example.com")); !strings.HasPrefix(got, "200 "+b.Tip("main")) {
		t.Errorf("its own certificate: %s", got)
	}
	if got, _ := browse(t, leaf, url(b.Name+".e2e.test")); !strings.HasPrefix(got, "200 "+b.Tip("main")) {
		t.Errorf("beside its own certificate: %s", got)
	}
	l.Dokku("ports:set", b.Name, fmt.Sprintf("http:%d:5000", l.Nginx.Port))
	if got, _ := browse(t, ownLeaf, fmt.Sprintf("http://b.example.com:%d/", l.Nginx.Port)); !strings.HasPrefix(got, "200 "+b.Tip("main")) {
		t.Errorf("without a port for TLS: %s", got)
	}
	l.Dokku("certs:remove", "--global")
	if got, _ := browse(t, leaf, fmt.Sprintf("http://%s.e2e.test:%d/", a.Name, l.Nginx.Port)); !strings.HasPrefix(got, "200 "+a.Tip("main")) {
		t.Errorf("without any certificate: %s", got)
	}
}
