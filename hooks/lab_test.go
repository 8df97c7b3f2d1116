package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/keys"
	"dokku/hooks/sshtest"
)

// deadline bounds every wait of a test.
const deadline = time.Minute

// A lab is a server with a real sshd in front of it, and one client with a key.
type lab struct {
	t    *testing.T
	root string // DOKKU_ROOT
	home string // the client's
	url  string // ssh://user@host:port
	dest string // user@host
	ssh  []string
	// known is the file by which a client knows the server.
	known string
	// calls are the requests of hooks and wrappers to the deploy agent.
	calls chan *call
	work  string // the client's repository
}

// Tests with a lab wait for processes most of the time, so they run in parallel.
func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	base, err := os.MkdirTemp("", "lab") // short: a socket's path is at most 107 bytes
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(base) })
	l := &lab{t: t, root: filepath.Join(base, "root"), home: filepath.Join(base, "home"), calls: make(chan *call, 64)}
	l.work = filepath.Join(l.home, "work")
	must(t, os.MkdirAll(l.root, 0o700))
	must(t, os.MkdirAll(l.work, 0o700))
	l.answerCalls()
	key := sshtest.Key(t, filepath.Join(l.home, "key"))
	pub, err := os.ReadFile(key + ".pub")
	must(t, err)
	must(t, keys.Add(l.root, "admin", string(pub), keys.Grant{Role: keys.Admin}))
	// It accepts every variable of the client's: what our environment is must not
	// depend on that.
	sshd := sshtest.Start(t, base, filepath.Join(l.root, ".ssh", "authorized_keys"), "AcceptEnv *")
	l.dest, l.url, l.known, l.ssh = sshd.Dest, sshd.URL, sshd.Known, sshd.Client(key, "SendEnv=*")
	l.git("init", "-q", "-b", "main")
	l.commit("one")
	return l
}

// inDNS gives the server a name, and returns how a client's person types a command.
func (l *lab) inDNS() string {
	l.t.Helper()
	must(l.t, os.MkdirAll(filepath.Join(l.root, ".dokku"), 0o700))
	must(l.t, os.WriteFile(filepath.Join(l.root, ".dokku", "server.json"), []byte(`{"domains":["example.com"]}`), 0o600))
	user, _, _ := strings.Cut(l.dest, "@")
	return "ssh -p " + l.url[strings.LastIndex(l.url, ":")+1:] + " " + user + "@example.com "
}

// answerCalls takes the calls of fake agents from the socket.
func (l *lab) answerCalls() {
	in, err := net.Listen("unix", filepath.Join(l.root, socketName))
	must(l.t, err)
	l.t.Cleanup(func() { in.Close() })
	go func() {
		for {
			conn, err := in.Accept()
			if err != nil {
				return
			}
			c := &call{t: l.t, conn: conn, in: json.NewDecoder(conn)}
			if c.in.Decode(&c.message) == nil {
				l.calls <- c
			}
		}
	}()
}

// next waits for the next call to the deploy agent.
func (l *lab) next(method string) *call {
	l.t.Helper()
	select {
	case c := <-l.calls:
		if c.Method != method {
			l.t.Fatalf("the deploy agent's next call is %s by process %d, want %s", c.Method, c.PID, method)
		}
		l.t.Cleanup(func() { c.conn.Close() })
		return c
	case <-time.After(deadline):
		l.t.Fatalf("nobody calls %s", method)
		return nil
	}
}

// quiet fails if the deploy agent was called again.
func (l *lab) quiet() {
	l.t.Helper()
	select {
	case c := <-l.calls:
		l.t.Fatalf("the deploy agent was called once more: %s by process %d", c.Method, c.PID)
	default:
	}
}

// environ is the client's environment.
func (l *lab) environ(extra ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_SSH_COMMAND=" + strings.Join(l.ssh, " "),
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	return append(env, extra...)
}

// git runs git in the client's repository and returns its output.
func (l *lab) git(args ...string) string {
	l.t.Helper()
	return l.gitIn(l.work, args...)
}

func (l *lab) gitIn(dir string, args ...string) string {
	l.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, l.environ()
	return l.mustRun(cmd)
}

func (l *lab) mustRun(cmd *exec.Cmd) string {
	l.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a commit on the present branch and returns its id.
func (l *lab) commit(text string) string {
	l.t.Helper()
	must(l.t, os.WriteFile(filepath.Join(l.work, "file"), []byte(text), 0o600))
	l.git("add", "file")
	l.git("commit", "-q", "-m", text)
	return l.git("rev-parse", "HEAD")
}

// A client is a git push that runs.
type client struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{}
	err  error
}

// push starts a git push to the app.
func (l *lab) push(app string, args ...string) *client {
	l.t.Helper()
	return l.start(exec.Command("git", append([]string{"push", l.url + "/" + app}, args...)...))
}

// start starts a command of the client's in a process group of its own.
func (l *lab) start(cmd *exec.Cmd, env ...string) *client {
	l.t.Helper()
	c := &client{t: l.t, cmd: cmd, done: make(chan struct{})}
	if cmd.Dir == "" {
		cmd.Dir = l.work
	}
	cmd.Env, cmd.Stdout, cmd.Stderr = l.environ(env...), &c.out, &c.out
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	must(l.t, cmd.Start())
	go func() {
		defer close(c.done)
		c.err = cmd.Wait()
	}()
	l.t.Cleanup(func() {
		c.signal(unix.SIGKILL)
		<-c.done
		if l.t.Failed() {
			l.t.Logf("%v: %s", cmd.Args, c.out.String())
		}
	})
	return c
}

// signal reaches git and the ssh that it has started. The number of those that have ended may be
// another's by now.
func (c *client) signal(s unix.Signal) {
	select {
	case <-c.done:
	default:
		unix.Kill(-c.cmd.Process.Pid, s)
	}
}

// wait returns the client's output and exit code.
func (c *client) wait() (string, int) {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(deadline):
		c.t.Fatalf("the client does not end")
	}
	return c.out.String(), c.cmd.ProcessState.ExitCode()
}

// succeed waits for the client's end and returns its output.
func (c *client) succeed() string {
	c.t.Helper()
	out, code := c.wait()
	if code != 0 {
		c.t.Fatalf("%v ends with %d:\n%s", c.cmd.Args, code, out)
	}
	return out
}

// fail waits for the client's end, which must be a failure.
func (c *client) fail() string {
	c.t.Helper()
	out, code := c.wait()
	if code == 0 {
		c.t.Fatalf("%v succeeds:\n%s", c.cmd.Args, out)
	}
	return out
}

// deploy pushes and lets both phases succeed.
func (l *lab) deploy(app string, args ...string) string {
	l.t.Helper()
	c := l.push(app, args...)
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("ok")
	return c.succeed()
}

// tip is where a ref of an app's repository is; "" when it is nowhere.
func (l *lab) tip(app, ref string) string {
	cmd := exec.Command("git", "-C", filepath.Join(l.root, app), "rev-parse", "-q", "--verify", ref)
	cmd.Env = l.environ()
	out, _ := cmd.Output()
	return strings.TrimSpace(string(out))
}

func (l *lab) wantTip(app, want string) {
	l.t.Helper()
	if got := l.tip(app, "refs/heads/main"); got != want {
		l.t.Fatalf("main of %s is %q, want %q", app, got, want)
	}
}

func (l *lab) exists(app string) bool {
	_, err := os.Stat(filepath.Join(l.root, app))
	return err == nil
}

// wantGone waits until an app is away.
func (l *lab) wantGone(app string) {
	l.t.Helper()
	eventually(l.t, app+" is removed", func() bool { return !l.exists(app) })
}

// ended waits until a process has ended.
func ended(t *testing.T, what string, pid int) {
	t.Helper()
	eventually(t, what+" has ended", func() bool {
		state, _ := processState(pid)
		return state == 0 || state == 'Z'
	})
}

// processState returns the state and the parent of a process; 0 when it is gone.
func processState(pid int) (state byte, parent int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return fields[0][0], parent
}

func parentOf(pid int) int {
	_, parent := processState(pid)
	return parent
}

// eventually looks again and again until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", deadline, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
