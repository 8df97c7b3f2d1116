package lab

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

// An App is an app of the lab, with the client's clone of its repository.
type App struct {
	Lab  *Lab
	Name string
	Work string // the clone
}

// Files are what a commit changes, by path; "" removes the file.
type Files map[string]string

// App makes a clone for an app that does not exist yet: its first push makes it. Its
// image has the test's server, and all files of the commit in /app.
func (l *Lab) App(f Files) *App {
	l.T.Helper()
	*l.Apps++
	a := &App{Lab: l, Name: l.AppName(*l.Apps), Work: filepath.Join(l.Front.Home, "work"+strconv.Itoa(*l.Apps))}
	Must(l.T, os.MkdirAll(a.Work, 0o700))
	a.Git("init", "-q", "-b", "main")
	a.Commit(Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nEXPOSE 5000\nCMD [\"/server\"]\n"})
	a.Commit(f)
	return a
}

// Deployed is App with the files deployed.
func (l *Lab) Deployed(f Files) *App {
	l.T.Helper()
	a := l.App(f)
	a.Push(nil)
	return a
}

// With returns the app for a subtest.
func (a *App) With(t *testing.T) *App { return &App{a.Lab.With(t), a.Name, a.Work} }

// Client prepares a git command in the clone.
func (a *App) Client(args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = a.Work
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.Lab.Front.Home, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_SSH_COMMAND=" + strings.Join(a.Lab.Front.SSH, " "), "GIT_ALLOW_PROTOCOL=file:ssh",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	return cmd
}

// Git runs a git command in the clone and returns its trimmed output. The command must
// succeed.
func (a *App) Git(args ...string) string {
	a.Lab.T.Helper()
	out, err := a.Client(args...).CombinedOutput()
	if err != nil {
		a.Lab.T.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Commit commits the files and returns the new revision.
func (a *App) Commit(f Files) string {
	a.Lab.T.Helper()
	for name, text := range f {
		path := filepath.Join(a.Work, name)
		if text == "" {
			Must(a.Lab.T, os.Remove(path))
			continue
		}
		Must(a.Lab.T, os.MkdirAll(filepath.Dir(path), 0o700))
		Must(a.Lab.T, os.WriteFile(path, []byte(text), 0o600))
	}
	a.Git("add", "-A")
	a.Git("commit", "-q", "--allow-empty", "-m", "change")
	return a.Git("rev-parse", "HEAD")
}

// Remote is the ssh URL of the app.
func (a *App) Remote() string { return a.Lab.Front.URL + "/" + a.Name }

// Pushing starts a push to the app.
func (a *App) Pushing(args ...string) *Process {
	a.Lab.T.Helper()
	if len(args) == 0 {
		args = []string{"main"}
	}
	return a.Lab.Start(a.Client(append([]string{"push", a.Remote()}, args...)...))
}

// Push commits the files, unless they are nil, and pushes. The push must move main. Push
// returns its output.
func (a *App) Push(f Files) string {
	a.Lab.T.Helper()
	rev := a.Git("rev-parse", "HEAD")
	if f != nil {
		rev = a.Commit(f)
	}
	out := a.Pushing().Succeeds()
	if tip := a.Tip("main"); tip != rev {
		a.Lab.T.Fatalf("main is at %s after the push of %s:\n%s", tip, rev, out)
	}
	return out
}

// Rejected commits the files and pushes them. The push must fail and change nothing.
// Rejected takes the commit back and returns the push's output.
func (a *App) Rejected(f Files) string {
	a.Lab.T.Helper()
	before := a.Everything()
	a.Commit(f)
	out := a.Pushing().Fails()
	if after := a.Everything(); after != before {
		a.Lab.T.Fatalf("a rejected push changes something. Before:\n%s\nafter:\n%s\nit printed:\n%s", before, after, out)
	}
	a.Git("reset", "-q", "--hard", "HEAD~1")
	return out
}

// Everything is the state that a rejected push must not change, as text: main, settings,
// route, releases and resources. It is the same without the app as for an app with none of
// these, because a first push that fails may keep the app.
func (a *App) Everything() string {
	a.Lab.T.Helper()
	state := map[string]any{}
	if Exists(a.Dir()) {
		Must(a.Lab.T, json.Unmarshal(a.Read("dokku", "state.json"), &state))
	}
	for _, k := range []string{"retiring", "version", "created_at", "kept", "isolation"} {
		delete(state, k)
	}
	asked, err := json.Marshal(state)
	Must(a.Lab.T, err)
	route, _ := os.ReadFile(filepath.Join(a.Lab.Root, ".dokku", "nginx", "live", a.Name+".conf"))
	releases, err := filepath.Glob(a.Dir("dokku", "releases", "*"))
	Must(a.Lab.T, err)
	return fmt.Sprintf("main %s\n%s\n%s%s\n%s", a.Tip("main"), asked, route, strings.Join(releases, "\n"), a.Resources())
}

// Dir is a path in the app's folder on the server.
func (a *App) Dir(elem ...string) string {
	return filepath.Join(append([]string{a.Lab.Root, a.Name}, elem...)...)
}

// Read reads a file of the app's on the server.
func (a *App) Read(elem ...string) []byte {
	a.Lab.T.Helper()
	data, err := os.ReadFile(a.Dir(elem...))
	Must(a.Lab.T, err)
	return data
}

// Tip returns a branch's revision on the server; "" if there is none.
func (a *App) Tip(branch string) string {
	out, _ := exec.Command("git", "--git-dir", a.Dir(), "rev-parse", "-q", "--verify", "refs/heads/"+branch).Output()
	return strings.TrimSpace(string(out))
}

// ReadTip reads main without starting git; "" when it is not in a file of its own.
func ReadTip(a *App) string {
	data, err := os.ReadFile(a.Dir("refs", "heads", "main"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Get asks the app for a path through nginx, by its name.
func (a *App) Get(path string) (status int, body string) {
	a.Lab.T.Helper()
	return a.Lab.Nginx.Get(a.Name+".e2e.test", path)
}

// Serves fails the test unless the app answers with the revision.
func (a *App) Serves(rev string) {
	a.Lab.T.Helper()
	status, body := a.Get("/")
	if status != 200 || !strings.HasPrefix(body, rev+" web.") {
		a.Lab.T.Fatalf("the app answers %d %q, want revision %s", status, body, rev)
	}
}

// Upstreams are the addresses to which nginx passes the app's requests.
func (a *App) Upstreams() []netip.AddrPort {
	a.Lab.T.Helper()
	f, err := os.Open(filepath.Join(a.Lab.Root, ".dokku", "nginx", "live", a.Name+".conf"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var list []netip.AddrPort
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if mark, ok := strings.CutPrefix(lines.Text(), "# route "); ok {
			var r struct{ Upstreams []netip.AddrPort }
			Must(a.Lab.T, json.Unmarshal([]byte(mark), &r))
			list = r.Upstreams
		}
	}
	return list
}

// AppState holds the fields of state.json that the tests read.
type AppState struct {
	Current  int
	Staged   *struct{ Release int }
	Retiring map[string]time.Time
	Scale    map[string]int
	Stopped  bool
}

// State reads the app's state.json, which must exist.
func (a *App) State() AppState {
	a.Lab.T.Helper()
	st, err := a.ReadState()
	Must(a.Lab.T, err)
	return st
}

// ReadState is State of an app that may go away at any moment.
func (a *App) ReadState() (st AppState, err error) {
	data, err := os.ReadFile(a.Dir("dokku", "state.json"))
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(data, &st)
}

// Ask opens a new connection to address and sends one request for path, with the app's
// domain as its host. It never retries.
func (a *App) Ask(address, path string) (status int, body string, err error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s.e2e.test\r\nConnection: close\r\n\r\n", path, a.Name); err != nil {
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

// Renamed returns the app under a new name, without renaming it on the server. The lab
// removes the resources of both names.
func (a *App) Renamed() *App {
	*a.Lab.Apps++
	return &App{a.Lab, a.Lab.AppName(*a.Lab.Apps), a.Work}
}

// Words splits a command line into arguments; APP stands for the app's name.
func (a *App) Words(line string) []string {
	return strings.Fields(strings.ReplaceAll(line, "APP", a.Name))
}
