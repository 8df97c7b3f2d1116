package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/proxy/nginx/nginxtest"
	"dokku/hooks/sshtest"
)

// sshPort is where a FrontDoor's sshd listens: its network is its own.
const sshPort = 22

// A FrontDoor is a second server of a Lab: an nginx and an sshd in a network namespace of
// their own, with the files that install.sh front-door makes.
type FrontDoor struct {
	Nginx *nginxtest.Server
	// Address is the front door's, Server that of the lab's server as it sees it.
	Address, Server string
	Root            string

	lab       *Lab
	namespace string
	sshd      *exec.Cmd
	config    string // of sshd
	hold      string // a file: while it is there, reloads of nginx wait
}

var frontDoors atomic.Int32

// A Cable connects a network namespace with the lab's server. It returns the addresses of
// both.
type Cable func(namespace string) (server, address string)

// NewFrontDoor starts a front door, which ends with the test.
func (l *Lab) NewFrontDoor() *FrontDoor { return l.NewFrontDoorAt(l.cable) }

// NewFrontDoorAt is NewFrontDoor in another network.
func (l *Lab) NewFrontDoorAt(connect Cable) *FrontDoor {
	l.T.Helper()
	if os.Geteuid() != 0 {
		l.T.Fatal("the test needs root, for network namespaces: sudo ./install.sh test")
	}
	d := &FrontDoor{lab: l, namespace: fmt.Sprintf("dkf%d%c", os.Getpid(), 'a'+frontDoors.Add(1)-1)}
	base, err := os.MkdirTemp("", "door")
	Must(l.T, err)
	l.T.Cleanup(func() { os.RemoveAll(base) })
	Must(l.T, os.Chmod(base, 0o755))
	ip(l.T, "netns add "+d.namespace)
	l.T.Cleanup(func() { exec.Command("ip", "netns", "del", d.namespace).Run() }) // the cable goes with it
	ip(l.T, "-n "+d.namespace+" link set lo up")
	d.Server, d.Address = connect(d.namespace)
	d.Root, d.hold = filepath.Join(base, "root"), filepath.Join(base, "hold")
	Must(l.T, os.MkdirAll(filepath.Join(d.Root, ".dokku"), 0o700))
	d.in(func() { d.Nginx = nginxtest.NewServer(l.T, "server { listen PORT default_server; return 404; }") })
	Must(l.T, os.Symlink(d.Nginx.Dir, filepath.Join(d.Root, ".dokku", "nginx")))
	d.configure(base)
	d.installSSH(base)
	d.StartSSH()
	return d
}

// cable connects a namespace with this machine.
func (l *Lab) cable(namespace string) (server, address string) {
	l.T.Helper()
	// 198.19.0.0/16 is for tests of networks (RFC 2544).
	subnet := fmt.Sprintf("198.19.%d", (os.Getpid()*8+int(frontDoors.Load()))%256)
	server, address = subnet+".1", subnet+".2"
	ip(l.T, "link add "+namespace+" type veth peer name eth0 netns "+namespace)
	ip(l.T, "addr add "+server+"/24 dev "+namespace)
	ip(l.T, "link set "+namespace+" up")
	ip(l.T, "-n "+namespace+" addr add "+address+"/24 dev eth0")
	ip(l.T, "-n "+namespace+" link set eth0 up")
	return server, address
}

func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", line, err, out)
	}
}

// in runs f, and what it starts, in the front door's network.
func (d *FrontDoor) in(f func()) {
	d.lab.T.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	Must(d.lab.T, err)
	defer own.Close()
	there, err := os.Open("/run/netns/" + d.namespace)
	Must(d.lab.T, err)
	defer there.Close()
	Must(d.lab.T, unix.Setns(int(there.Fd()), unix.CLONE_NEWNET))
	defer func() { Must(d.lab.T, unix.Setns(int(own.Fd()), unix.CLONE_NEWNET)) }()
	f()
}

// configure writes the settings of the front door. Its reloads of nginx wait while a file is
// there.
func (d *FrontDoor) configure(base string) {
	d.lab.T.Helper()
	c := d.Nginx.Config()
	script := filepath.Join(base, "reload")
	text := fmt.Sprintf("#!/bin/sh\nif [ -e %[1]s ]; then : >%[1]s.reached; while [ -e %[1]s ]; do sleep 0.02; done; fi\nexec %[2]s\n", d.hold, strings.Join(c.Reload, " "))
	Must(d.lab.T, os.WriteFile(script, []byte(text), 0o755))
	settings, err := json.Marshal(map[string]any{"version": 1, "nginx": map[string]any{"port": c.Port, "tls_port": c.TLSPort,
		"log_dir": d.Nginx.Logs, "files_dir": c.Files, "check": c.Check, "reload": []string{script}}})
	Must(d.lab.T, err)
	Must(d.lab.T, os.WriteFile(filepath.Join(d.Root, ".dokku", "server.json"), settings, 0o600))
}

func (d *FrontDoor) installSSH(base string) {
	t := d.lab.T
	t.Helper()
	Must(t, os.MkdirAll("/run/sshd", 0o755))
	d.config = filepath.Join(base, "sshd_config")
	lines := []string{fmt.Sprintf("ListenAddress %s:%d", d.Address, sshPort), "HostKey " + sshtest.Key(t, filepath.Join(base, "host_key")), "PidFile none",
		"AuthorizedKeysFile " + d.keys(), "StrictModes no", "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no", "LogLevel ERROR", "MaxStartups 100"}
	Must(t, os.WriteFile(d.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

func (d *FrontDoor) keys() string { return filepath.Join(d.Root, "keys") }

// Allow lets in the server whose key is in the line of front-door:add.
func (d *FrontDoor) Allow(line string) {
	d.lab.T.Helper()
	_, key, ok := strings.Cut(line, "front-door '")
	key, _, end := strings.Cut(key, "'")
	if !ok || !end {
		d.lab.T.Fatalf("no key in %q", line)
	}
	text := fmt.Sprintf("restrict,command=\"DOKKU_ROOT=%s %s front-door:serve\" %s\n", d.Root, d.lab.Tools.Binary, key)
	Must(d.lab.T, os.WriteFile(d.keys(), []byte(text), 0o600))
}

// Destination is where the server finds the front door, for front-door:add.
func (d *FrontDoor) Destination() string { return fmt.Sprintf("root@%s:%d", d.Address, sshPort) }

// Visit is the address at which visitors find the front door, without TLS.
func (d *FrontDoor) Visit() string { return net.JoinHostPort(d.Address, strconv.Itoa(d.Nginx.Port)) }

// StartSSH starts sshd, and waits until it answers.
func (d *FrontDoor) StartSSH() {
	d.lab.T.Helper()
	log := &bytes.Buffer{}
	d.sshd = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", d.config)
	d.sshd.Stderr = log
	d.sshd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	d.in(func() { Must(d.lab.T, d.sshd.Start()) })
	d.lab.T.Cleanup(func() {
		d.KillSSH()
		if d.lab.T.Failed() {
			d.lab.T.Logf("sshd of the front door: %s", log)
		}
	})
	WaitFor(d.lab.T, "the front door's sshd listens", func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort(d.Address, strconv.Itoa(sshPort)))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// KillSSH kills sshd and what serves its connections.
func (d *FrontDoor) KillSSH() {
	if d.sshd == nil {
		return
	}
	for _, pid := range append(d.serving(), d.sshd.Process.Pid) {
		unix.Kill(pid, unix.SIGKILL)
	}
	d.sshd.Wait()
	d.sshd = nil
}

// serving are the processes that carry out requests, and sshd's own ones for connections.
func (d *FrontDoor) serving() (found []int) {
	out, _ := exec.Command("ip", "netns", "pids", d.namespace).Output()
	for _, word := range strings.Fields(string(out)) {
		name, _ := os.ReadFile("/proc/" + word + "/comm")
		if pid, err := strconv.Atoi(word); err == nil && (strings.HasPrefix(string(name), "sshd") || strings.TrimSpace(string(name)) == filepath.Base(d.lab.Tools.Binary)) {
			found = append(found, pid)
		}
	}
	return found
}

// Hold makes reloads of the front door's nginx wait. Reached reports whether one does.
func (d *FrontDoor) Hold() {
	d.lab.T.Helper()
	Must(d.lab.T, os.WriteFile(d.hold, nil, 0o600))
}

// Reached reports whether a reload waits.
func (d *FrontDoor) Reached() bool { return Exists(d.hold + ".reached") }

// Release lets reloads go on.
func (d *FrontDoor) Release() {
	os.Remove(d.hold + ".reached")
	Must(d.lab.T, os.Remove(d.hold))
}
