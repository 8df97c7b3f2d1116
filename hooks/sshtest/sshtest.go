// Package sshtest runs an sshd of a test's own.
package sshtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds the wait for sshd to listen.
const patience = 20 * time.Second

// Server is an sshd on loopback. It lets in the user that runs the test, with
// the keys of one file, and ends with the test.
type Server struct {
	Dest string // user@host
	URL  string // ssh://user@host:port
	port string
	// Known is the file by which clients know the server.
	Known string
}

// Key makes a key pair and returns the path of the private one; the public one
// has the suffix ".pub".
func Key(t testing.TB, path string) string {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	return path
}

// Start starts a server whose files are in dir. Options are further lines of its
// configuration; the first of two that contradict each other counts.
func Start(t testing.TB, dir, authorizedKeys string, options ...string) *Server {
	t.Helper()
	os.MkdirAll("/run/sshd", 0o755) // where sshd, run by root, wants to be locked in
	s := &Server{port: freePort(t), Known: filepath.Join(dir, "known_hosts")}
	hostKey := Key(t, filepath.Join(dir, "host_key"))
	config := strings.Join(append(options, "ListenAddress 127.0.0.1:"+s.port, "HostKey "+hostKey, "PidFile none",
		"AuthorizedKeysFile "+authorizedKeys, "StrictModes no", "UsePAM no", "PermitRootLogin yes",
		"PasswordAuthentication no", "LogLevel ERROR", "MaxStartups 100"), "\n") + "\n"
	path := filepath.Join(dir, "sshd_config")
	must(t, os.WriteFile(path, []byte(config), 0o600))
	hostPub, err := os.ReadFile(hostKey + ".pub")
	must(t, err)
	must(t, os.WriteFile(s.Known, fmt.Appendf(nil, "[127.0.0.1]:%s %s", s.port, hostPub), 0o600))
	u, err := user.Current()
	must(t, err)
	s.Dest = u.Username + "@127.0.0.1"
	s.URL = "ssh://" + s.Dest + ":" + s.port
	s.run(t, path)
	return s
}

// run starts sshd and waits until it listens.
func (s *Server) run(t testing.TB, config string) {
	t.Helper()
	var log bytes.Buffer
	sshd := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", config)
	sshd.Stderr = &log
	must(t, sshd.Start())
	t.Cleanup(func() {
		sshd.Process.Kill()
		sshd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", log.String())
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if c, err := net.Dial("tcp", "127.0.0.1:"+s.port); err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("sshd does not listen")
		}
	}
}

// Client is the ssh command of a client with a key, without the destination. The
// configuration of the user who runs the test is not read.
func (s *Server) Client(key string, options ...string) []string {
	args := []string{"ssh", "-F", "/dev/null", "-p", s.port, "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile=" + s.Known, "-o", "LogLevel=ERROR"}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	return args
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
