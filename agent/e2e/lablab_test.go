package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/proxy/proxytest"
)

// The end-to-end tests run the built program against a real git, sshd, nginx
// and Docker Engine: what is missing fails them. They run as whoever starts
// them, and leave the machine's own nginx, sshd and DOKKU_ROOT alone.

// A lab is a server of a test's own: a DOKKU_ROOT with the program, nginx and
// sshd around it, and one client with a key.
type lab struct {
	t     *testing.T
	tools *tools
	root  string
	nginx *proxytest.Server
	front front
	agent *exec.Cmd
	apps  *int // how many were named
}

// newLab starts a server. settings go into its server.json.
func newLab(t *testing.T, settings map[string]any) *lab {
	t.Helper()
	tools, err := shared()
	must(t, err)
	return newLabOf(t, tools, settings)
}

// newLabOf is newLab with another build of the program.
func newLabOf(t *testing.T, tools *tools, settings map[string]any) *lab {
	t.Helper()
	base, err := os.MkdirTemp("", "lab") // short, unlike t.TempDir
	must(t, err)
	must(t, os.Chmod(base, 0o755))
	l := &lab{t: t, tools: tools, root: filepath.Join(base, "root"), apps: new(int)}
	t.Cleanup(func() { os.RemoveAll(base) })
	must(t, os.MkdirAll(filepath.Join(l.root, ".dokku"), 0o755))
	l.nginx = proxytest.NewServer(t, "server { listen PORT default_server; return 404; }")
	must(t, os.Symlink(l.nginx.Dir, filepath.Join(l.root, ".dokku", "nginx")))
	l.configure(settings)
	l.front.start(l, base)
	t.Cleanup(l.clear)
	return l
}

// with returns the lab for a subtest.
func (l *lab) with(t *testing.T) *lab {
	c := *l
	c.t = t
	return &c
}

// configure writes server.json. Nothing waits long in a test unless it asks to.
func (l *lab) configure(settings map[string]any) {
	l.t.Helper()
	var n [1]byte
	rand.Read(n[:])
	s := map[string]any{
		"version": 1,
		"domains": []string{"e2e.test"},
		"pool":    fmt.Sprintf("10.%d.0.0/16", 96+n[0]%64),
		"docker":  os.Getenv("DOCKER_HOST"),
		"checks":  map[string]string{"default-wait": "0.5", "wait-to-retire": "1"},
		"ps":      map[string]string{"stop-timeout-seconds": "5"},
		"nginx": map[string]any{"port": l.nginx.Port,
			"check":  l.stoppable(beforeCommit, l.nginx.Config().Check, ""),
			"reload": l.stoppable(afterCommit, l.nginx.Config().Reload, afterSwitch)},
	}
	for k, v := range settings {
		s[k] = v
	}
	data, err := json.Marshal(s)
	must(l.t, err)
	must(l.t, os.WriteFile(filepath.Join(l.root, ".dokku", "server.json"), data, 0o600))
}

// environment is what the program finds where it is called on the server.
func (l *lab) environment() []string {
	return []string{"DOKKU_ROOT=" + l.root, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
}

// command prepares a dokku command on the server.
func (l *lab) command(args ...string) *exec.Cmd {
	cmd := exec.Command(l.tools.binary, args...)
	cmd.Env = l.environment()
	return cmd
}

// dokku runs a command on the server, which must succeed, and returns what it
// prints.
func (l *lab) dokku(args ...string) string {
	l.t.Helper()
	out, code := l.try(args...)
	if code != 0 {
		l.t.Fatalf("dokku %s ends with %d:\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// refused runs a command that must fail with exit code 1.
func (l *lab) refused(args ...string) string {
	l.t.Helper()
	out, code := l.try(args...)
	if code != 1 {
		l.t.Fatalf("dokku %s ends with %d, want 1:\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (l *lab) try(args ...string) (out string, code int) {
	l.t.Helper()
	return l.start(l.command(args...)).wait()
}

// startAgent starts the deploy agent; it runs until the test's end.
func (l *lab) startAgent() {
	l.t.Helper()
	l.agent = l.command("agent")
	l.agent.Stderr = l.logFile("agent.log")
	must(l.t, l.agent.Start())
	agent := l.agent
	l.t.Cleanup(func() { endProcess(agent) })
}

func endProcess(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// clear removes everything of this lab's apps, and tells what still ran.
func (l *lab) clear() {
	if l.agent != nil {
		endProcess(l.agent)
	}
	for _, pid := range l.processes("") {
		unix.Kill(pid, unix.SIGKILL)
	}
	// The last first: an app that was renamed runs images of its former name.
	for n := *l.apps; n > 0; n-- {
		l.removeAll(l.appName(n))
	}
	for _, name := range []string{"dokku.log", "agent.log"} {
		if log, err := os.ReadFile(l.log(name)); err == nil && l.t.Failed() {
			l.t.Logf("%s ends with:\n%s", name, log[max(0, len(log)-8000):])
		}
	}
}

// log is the path of a log; "dokku.log" is the host's.
func (l *lab) log(name string) string { return filepath.Join(l.root, ".dokku", "log", name) }

func (l *lab) logFile(name string) *os.File {
	l.t.Helper()
	must(l.t, os.MkdirAll(filepath.Dir(l.log(name)), 0o700))
	f, err := os.OpenFile(l.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(l.t, err)
	l.t.Cleanup(func() { f.Close() })
	return f
}

func (l *lab) appName(n int) string {
	id := hex.EncodeToString([]byte{byte(l.nginx.Port >> 8), byte(l.nginx.Port)})
	return "e2e-" + runID + "-" + id + "-" + strconv.Itoa(n)
}

// processes lists the lab's processes of one kind: "shell" (the wrapper around
// git), "receive-pack", "pre-receive" or another hook; "" for all of them.
func (l *lab) processes(kind string) []int {
	entries, err := os.ReadDir("/proc")
	must(l.t, err)
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if !bytes.Contains(env, []byte("DOKKU_ROOT="+l.root+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		args := strings.Split(string(line), "\x00")
		is := func(arg string) bool { return strings.TrimPrefix(filepath.Base(arg), "git-") == kind }
		if kind == "" && len(line) > 0 || slices.ContainsFunc(args[:min(2, len(args))], is) {
			found = append(found, pid)
		}
	}
	return found
}
