package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An app is one of the lab's, with the client's repository of it.
type app struct {
	*lab
	name string
	work string
}

// files are what a commit changes, by path; "" removes the file.
type files map[string]string

// app makes a repository for an app that no push has made yet. Its image has
// the test's server and all files in /app.
func (l *lab) app(f files) *app {
	l.t.Helper()
	*l.apps++
	a := &app{lab: l, name: l.appName(*l.apps), work: filepath.Join(l.front.home, "work"+strconv.Itoa(*l.apps))}
	must(l.t, os.MkdirAll(a.work, 0o700))
	a.git("init", "-q", "-b", "main")
	a.commit(files{"Dockerfile": "FROM " + l.tools.base + "\nCOPY . /app/\nEXPOSE 5000\nCMD [\"/server\"]\n"})
	a.commit(f)
	return a
}

// deployed is app, pushed.
func (l *lab) deployed(f files) *app {
	l.t.Helper()
	a := l.app(f)
	a.push(nil)
	return a
}

func (a *app) with(t *testing.T) *app { return &app{a.lab.with(t), a.name, a.work} }

// client prepares a git command of the client's.
func (a *app) client(args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = a.work
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.front.home, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_SSH_COMMAND=" + strings.Join(a.front.ssh, " "), "GIT_ALLOW_PROTOCOL=file:ssh",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	return cmd
}

// git runs a git command of the client's, which must succeed.
func (a *app) git(args ...string) string {
	a.t.Helper()
	out, err := a.client(args...).CombinedOutput()
	if err != nil {
		a.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits the files and returns the new revision.
func (a *app) commit(f files) string {
	a.t.Helper()
	for name, text := range f {
		path := filepath.Join(a.work, name)
		if text == "" {
			must(a.t, os.Remove(path))
			continue
		}
		must(a.t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(a.t, os.WriteFile(path, []byte(text), 0o600))
	}
	a.git("add", "-A")
	a.git("commit", "-q", "--allow-empty", "-m", "change")
	return a.git("rev-parse", "HEAD")
}

func (a *app) remote() string { return a.front.url + "/" + a.name }

// pushing starts a push to the app.
func (a *app) pushing(args ...string) *process {
	a.t.Helper()
	if len(args) == 0 {
		args = []string{"main"}
	}
	return a.start(a.client(append([]string{"push", a.remote()}, args...)...))
}

// push commits the files and pushes them, which must deploy them.
func (a *app) push(f files) string {
	a.t.Helper()
	rev := a.git("rev-parse", "HEAD")
	if f != nil {
		rev = a.commit(f)
	}
	out := a.pushing().succeeds()
	if tip := a.tip("main"); tip != rev {
		a.t.Fatalf("main is at %s after the push of %s:\n%s", tip, rev, out)
	}
	return out
}

// rejected commits the files and pushes them, which must change nothing at all.
// It takes the commit back and returns what was printed.
func (a *app) rejected(f files) string {
	a.t.Helper()
	before := a.everything()
	a.commit(f)
	out := a.pushing().fails()
	if after := a.everything(); after != before {
		a.t.Fatalf("a rejected push changes something. Before:\n%s\nafter:\n%s\nit printed:\n%s", before, after, out)
	}
	a.git("reset", "-q", "--hard", "HEAD~1")
	return out
}

// everything is all that a rejected push must leave as it was, as text.
func (a *app) everything() string {
	a.t.Helper()
	if !exists(a.dir()) {
		return "no app\n" + a.resources()
	}
	var state map[string]any
	must(a.t, json.Unmarshal(a.read("dokku", "state.json"), &state))
	delete(state, "retiring")
	asked, err := json.Marshal(state)
	must(a.t, err)
	route, _ := os.ReadFile(filepath.Join(a.root, ".dokku", "nginx", "live", a.name+".conf"))
	releases, err := filepath.Glob(a.dir("dokku", "releases", "*"))
	must(a.t, err)
	return fmt.Sprintf("main %s\n%s\n%s%s\n%s", a.tip("main"), asked, route, strings.Join(releases, "\n"), a.resources())
}

// dir is a path in the app's folder on the server.
func (a *app) dir(elem ...string) string {
	return filepath.Join(append([]string{a.root, a.name}, elem...)...)
}

// read reads a file of the app's on the server.
func (a *app) read(elem ...string) []byte {
	a.t.Helper()
	data, err := os.ReadFile(a.dir(elem...))
	must(a.t, err)
	return data
}

// tip returns a branch's revision on the server; "" if there is none.
func (a *app) tip(branch string) string {
	out, _ := exec.Command("git", "--git-dir", a.dir(), "rev-parse", "-q", "--verify", "refs/heads/"+branch).Output()
	return strings.TrimSpace(string(out))
}

// readTip reads main without starting git; "" when it is not in a file of its own.
func readTip(a *app) string {
	data, err := os.ReadFile(a.dir("refs", "heads", "main"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// get asks the app for a path through nginx, by its name.
func (a *app) get(path string) (status int, body string) {
	a.t.Helper()
	return a.nginx.Get(a.name+".e2e.test", path)
}

// serves fails the test unless the app answers with the revision.
func (a *app) serves(rev string) {
	a.t.Helper()
	status, body := a.get("/")
	if status != 200 || !strings.HasPrefix(body, rev+" web.") {
		a.t.Fatalf("the app answers %d %q, want revision %s", status, body, rev)
	}
}

// upstreams are the addresses that nginx passes the app's requests to.
func (a *app) upstreams() []netip.AddrPort {
	a.t.Helper()
	f, err := os.Open(filepath.Join(a.root, ".dokku", "nginx", "live", a.name+".conf"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var list []netip.AddrPort
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if mark, ok := strings.CutPrefix(lines.Text(), "# route "); ok {
			var r struct{ Upstreams []netip.AddrPort }
			must(a.t, json.Unmarshal([]byte(mark), &r))
			list = r.Upstreams
		}
	}
	return list
}

// appState is what the tests look at of state.json.
type appState struct {
	Current  int
	Staged   *struct{ Release int }
	Retiring map[string]time.Time
	Scale    map[string]int
	Stopped  bool
}

// state reads the app's state.json.
func (a *app) state() appState {
	a.t.Helper()
	st, err := a.readState()
	must(a.t, err)
	return st
}

// readState is state of an app that may go away at any moment.
func (a *app) readState() (st appState, err error) {
	data, err := os.ReadFile(a.dir("dokku", "state.json"))
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(data, &st)
}

// ask opens a connection of its own to address, and sends one request for path
// under the app's name. Nothing is ever sent again.
func (a *app) ask(address, path string) (status int, body string, err error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s.e2e.test\r\nConnection: close\r\n\r\n", path, a.name); err != nil {
		return 0, "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// renamed is the app under its new name; the lab removes both names' leftovers.
func (a *app) renamed() *app {
	*a.apps++
	return &app{a.lab, a.appName(*a.apps), a.work}
}

// words are the arguments of a command about the app.
func (a *app) words(line string) []string {
	return strings.Fields(strings.ReplaceAll(line, "APP", a.name))
}
