package lab

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

	"dokku/agent/proxy/nginx/nginxtest"
)

// A Lab is a server for one test: a DOKKU_ROOT, an nginx, an sshd, and one client with
// a key.
type Lab struct {
	T     *testing.T
	Tools *Tools
	Root  string
	Nginx *nginxtest.Server
	Front Front
	Agent *exec.Cmd
	Apps  *int // the number of names given to apps
}

// New starts a server with these additional settings in server.json. Everything of it
// ends with the test.
func New(t *testing.T, settings map[string]any) *Lab {
	t.Helper()
	tools, err := Shared()
	Must(t, err)
	return NewOf(t, tools, settings)
}

// NewOf is New with another build of the program.
func NewOf(t *testing.T, tools *Tools, settings map[string]any) *Lab {
	t.Helper()
	base, err := os.MkdirTemp("", "lab") // short, unlike t.TempDir
	Must(t, err)
	Must(t, os.Chmod(base, 0o755))
	l := &Lab{T: t, Tools: tools, Root: filepath.Join(base, "root"), Apps: new(int)}
	t.Cleanup(func() { os.RemoveAll(base) })
	Must(t, os.MkdirAll(filepath.Join(l.Root, ".dokku"), 0o755))
	l.Nginx = nginxtest.NewServer(t, "server { listen PORT default_server; return 404; }")
	Must(t, os.Symlink(l.Nginx.Dir, filepath.Join(l.Root, ".dokku", "nginx")))
	l.Configure(settings)
	l.Front.start(l, base)
	t.Cleanup(l.clear)
	return l
}

// With returns the lab for a subtest.
func (l *Lab) With(t *testing.T) *Lab {
	c := *l
	c.T = t
	return &c
}

// Configure writes server.json: these settings over defaults with short waits.
func (l *Lab) Configure(settings map[string]any) {
	l.T.Helper()
	var n [1]byte
	rand.Read(n[:])
	s := map[string]any{
		"version":  1,
		"domains":  []string{"e2e.test"},
		"pool":     fmt.Sprintf("10.%d.0.0/16", 96+n[0]%64),
		"docker":   os.Getenv("DOCKER_HOST"),
		"checks":   map[string]string{"default-wait": "0.5", "wait-to-retire": "1"},
		"ps":       map[string]string{"stop-timeout-seconds": "5"},
		"firewall": []string{"off"}, // Firewall switches it on
		"nginx": map[string]any{"port": l.Nginx.Port, "tls_port": l.Nginx.TLSPort, "log_dir": l.Nginx.Logs, "files_dir": l.Nginx.Config().Files,
			"check":  l.stoppable(BeforeCommit, l.Nginx.Config().Check, ""),
			"reload": l.stoppable(AfterCommit, l.Nginx.Config().Reload, AfterSwitch)},
	}
	for k, v := range settings {
		s[k] = v
	}
	data, err := json.Marshal(s)
	Must(l.T, err)
	Must(l.T, os.WriteFile(filepath.Join(l.Root, ".dokku", "server.json"), data, 0o600))
}

// environment is what the program finds where it is called on the server.
func (l *Lab) environment() []string {
	return []string{"DOKKU_ROOT=" + l.Root, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
}

// Command prepares a dokku command on the server.
func (l *Lab) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(l.Tools.Binary, args...)
	cmd.Env = l.environment()
	return cmd
}

// Dokku runs a command on the server and returns its output. The command must succeed.
func (l *Lab) Dokku(args ...string) string {
	l.T.Helper()
	out, code := l.Try(args...)
	if code != 0 {
		l.T.Fatalf("dokku %s ends with %d:\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// Refused runs a command that must fail with exit code 1, and returns its output.
func (l *Lab) Refused(args ...string) string {
	l.T.Helper()
	out, code := l.Try(args...)
	if code != 1 {
		l.T.Fatalf("dokku %s ends with %d, want 1:\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// Try runs a command on the server, and returns its output and exit code.
func (l *Lab) Try(args ...string) (out string, code int) {
	l.T.Helper()
	return l.Start(l.Command(args...)).Wait()
}

// StartAgent starts the deploy agent; it runs until the test's end.
func (l *Lab) StartAgent() {
	l.T.Helper()
	l.Agent = l.Command("agent")
	l.Agent.Stderr = l.logFile("agent.log")
	Must(l.T, l.Agent.Start())
	agent := l.Agent
	l.T.Cleanup(func() { EndProcess(agent) })
}

// EndProcess kills a process that still runs, and waits for it.
func EndProcess(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// clear removes everything of this lab's apps, and tells what still ran.
func (l *Lab) clear() {
	if l.Agent != nil {
		EndProcess(l.Agent)
	}
	for _, pid := range l.Processes("") {
		unix.Kill(pid, unix.SIGKILL)
	}
	// The last first: an app that was renamed runs images of its former name.
	for n := *l.Apps; n > 0; n-- {
		l.RemoveAll(l.AppName(n))
	}
	for _, name := range []string{"dokku.log", "agent.log"} {
		if log, err := os.ReadFile(l.Log(name)); err == nil && l.T.Failed() {
			l.T.Logf("%s ends with:\n%s", name, log[max(0, len(log)-8000):])
		}
	}
}

// Log is the path of a log of the server: "dokku.log" or "agent.log".
func (l *Lab) Log(name string) string { return filepath.Join(l.Root, ".dokku", "log", name) }

func (l *Lab) logFile(name string) *os.File {
	l.T.Helper()
	Must(l.T, os.MkdirAll(filepath.Dir(l.Log(name)), 0o700))
	f, err := os.OpenFile(l.Log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	Must(l.T, err)
	l.T.Cleanup(func() { f.Close() })
	return f
}

// AppName is the name of the lab's nth app. No other lab of any run has it.
func (l *Lab) AppName(n int) string {
	id := hex.EncodeToString([]byte{byte(l.Nginx.Port >> 8), byte(l.Nginx.Port)})
	return "e2e-" + runID + "-" + id + "-" + strconv.Itoa(n)
}

// Processes lists the lab's processes of one kind: "shell" (the wrapper around
// git), "receive-pack", "pre-receive" or another hook; "" for all of them.
func (l *Lab) Processes(kind string) []int {
	entries, err := os.ReadDir("/proc")
	Must(l.T, err)
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if !bytes.Contains(env, []byte("DOKKU_ROOT="+l.Root+"\x00")) {
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
