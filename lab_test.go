package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"dokku/agent/proxy/nginx/nginxtest"
)

// The end-to-end tests run the built program against a real git, sshd, nginx
// and Docker Engine: what is missing fails them. They run as whoever starts
// them, and leave the machine's own nginx, sshd and DOKKU_ROOT alone.

// patience bounds every wait of a test.
const patience = 60 * time.Second

// runID is in the name of every app of this run: the engine is shared.
var runID = strings.ToLower(rand.Text()[:6])

// tools are what all labs of a run have in common.
type tools struct {
	dir    string
	binary string // the program under test
	base   string // an image with the server of testdata/e2e/server
	docker *client.Client
}

var shared = sync.OnceValues(makeTools)

// made are the tools that TestMain clears away.
var made *tools

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of their time the tests wait, for checks and for what retires.
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		flag.Set("test.parallel", "4")
	}
	code := m.Run()
	if t := made; t != nil {
		t.docker.ImageRemove(context.Background(), t.base, image.RemoveOptions{})
		t.docker.Close()
		os.RemoveAll(t.dir)
	}
	os.Exit(code)
}

func makeTools() (*tools, error) {
	for _, name := range []string{"git", "ssh", "ssh-keygen", "nginx", "unshare"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("the end-to-end tests need %s: %w (install.sh test installs it)", name, err)
		}
	}
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	if _, err := cli.Ping(context.Background()); err != nil {
		return nil, fmt.Errorf("the end-to-end tests need a Docker Engine: %w", err)
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		return nil, err
	}
	t := &tools{dir: dir, binary: filepath.Join(dir, "dokku"), base: "dokku-e2e:" + runID, docker: cli}
	made = t
	server := filepath.Join(dir, "server")
	return t, errors.Join(goBuild(t.binary, "."), goBuild(server, "./testdata/e2e/server"), t.importBase(server))
}

func goBuild(to, from string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", to}, flags...), from)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", from, err, out)
	}
	return nil
}

// importBase makes an image of the server alone, so that no push has to carry it.
func (t *tools) importBase(server string) error {
	data, err := os.ReadFile(server)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err = w.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(data))})
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	source := image.ImportSource{Source: &b, SourceName: "-"}
	answer, err := t.docker.ImageImport(context.Background(), source, t.base, image.ImportOptions{})
	if err != nil {
		return fmt.Errorf("cannot make the image %s: %w", t.base, err)
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return err
}

// A lab is a server of a test's own: a DOKKU_ROOT with the program, nginx and
// sshd around it, and one client with a key.
type lab struct {
	t     *testing.T
	tools *tools
	root  string
	nginx *nginxtest.Server
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
	l.nginx = nginxtest.NewServer(t, "server { listen PORT default_server; return 404; }")
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

// A step of a deploy at which a test can make it wait.
type step string

const (
	beforeCommit step = "check"       // everything has been started, nothing accepted
	atCommit     step = "transaction" // pre-receive has accepted, git has locked the ref
	afterCommit  step = "reload"      // the ref has moved, or the release is current; the old version serves
	afterSwitch  step = "reloaded"    // nginx has been told, and nobody knows yet
)

// stoppable wraps a command of nginx so that hold can stop it, before and after.
func (l *lab) stoppable(before step, command []string, after step) []string {
	path := filepath.Join(l.root, ".dokku", string(before))
	l.script(path, before, strings.Join(command, " ")+" || exit", after)
	return []string{"sh", path}
}

// script writes a shell script of one line that hold can stop before and after it.
func (l *lab) script(path string, before step, line string, after step) {
	wait := func(at step) string {
		return fmt.Sprintf("while [ -e %[1]s ]; do : > %[1]s.reached; sleep 0.02; done\n", l.holdFile(at))
	}
	must(l.t, os.WriteFile(path, []byte("#!/bin/sh\n"+wait(before)+line+"\n"+wait(after)), 0o755))
}

func (l *lab) holdFile(at step) string { return filepath.Join(l.root, ".dokku", "hold-"+string(at)) }

// hold makes whatever comes to the step wait there, for less than the ten
// seconds after which it would give up. arrived waits until something does.
func (l *lab) hold(at step) (arrived, release func()) {
	l.t.Helper()
	path := l.holdFile(at)
	os.Remove(path + ".reached")
	must(l.t, os.WriteFile(path, nil, 0o600))
	release = func() { os.Remove(path) }
	l.t.Cleanup(release)
	return func() {
		l.t.Helper()
		waitFor(l.t, "something arrives at the step "+string(at), func() bool { return exists(path + ".reached") })
	}, release
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

// waitFor waits until ok holds.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
