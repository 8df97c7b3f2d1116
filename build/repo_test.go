package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/client"
)

// TestMain runs the test binary as a pre-receive hook when git calls it so.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "pre-receive" {
		os.Exit(preReceive())
	}
	os.Exit(m.Run())
}

// pushed is what the hook reports to the test.
type pushed struct {
	Commit  Commit
	Stats   Stats
	Result  Result
	Lines   []Line
	Headers []string
	Dirs    []string // object folders that the hook saw
	RSS     int64    // peak, in bytes
	Failed  string
}

const (
	outEnv   = "DOKKU_BUILD_TEST_OUT"
	appEnv   = "DOKKU_BUILD_TEST_APP" // "": do not build
	cacheEnv = "DOKKU_BUILD_TEST_MANIFEST"
)

func preReceive() int {
	out, err := receive()
	if err != nil {
		out.Failed = err.Error()
		fmt.Fprintln(os.Stderr, " !    ", err)
	}
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	out.RSS = usage.Maxrss << 10
	b, _ := json.Marshal(out)
	if os.WriteFile(os.Getenv(outEnv), b, 0o600) != nil || err != nil {
		return 1
	}
	return 0
}

func receive() (out pushed, err error) {
	var old, rev, ref string
	if _, err := fmt.Scan(&old, &rev, &ref); err != nil {
		return out, err
	}
	o := OptionsFromEnv(".", os.Getenv)
	if out.Dirs, err = objectDirs(o); err != nil {
		return out, err
	}
	s, err := Open(o)
	if err != nil {
		return out, err
	}
	defer s.Close()
	if out.Commit, err = s.Commit(rev); err != nil {
		return out, err
	}
	ctx := context.Background()
	if out.Stats, err = s.Validate(ctx, out.Commit, DefaultLimits); err != nil || os.Getenv(appEnv) == "" {
		return out, err
	}
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return out, err
	}
	defer cli.Close()
	app := os.Getenv(appEnv)
	out.Result, err = Image(ctx, Request{
		Client: cli, App: app, Source: s, Commit: out.Commit, Manifest: os.Getenv(cacheEnv),
		Labels:   map[string]string{"com.dokku.app-name": app},
		Header:   func(h Header) { out.Headers = append(out.Headers, h.String()) },
		Progress: func(l Line) { out.Lines = append(out.Lines, l) },
	})
	return out, err
}

// repo is a bare repository that the tests write objects to.
type repo struct {
	t   testing.TB
	dir string
}

func newRepo(t testing.TB) repo { return newRepoAt(t, filepath.Join(t.TempDir(), "repo.git")) }

func newRepoAt(t testing.TB, dir string) repo {
	t.Helper()
	r := repo{t, dir}
	r.run(t.TempDir(), nil, "init", "-q", "--bare", "-b", "main", dir)
	return r
}

// run runs git and returns what it prints, without the final newline.
func (r repo) run(dir string, stdin []byte, args ...string) string {
	r.t.Helper()
	out, err := r.try(dir, stdin, nil, args...)
	if err != nil {
		r.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

func (r repo) try(dir string, stdin []byte, env []string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+r.t.TempDir(),
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com"), env...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

func (r repo) git(args ...string) string {
	r.t.Helper()
	return r.run(r.dir, nil, args...)
}

// files are paths and contents; a path may start with a mode and a space.
type files map[string]string

// commit adds a commit to main: parent's files (if parent is not "") with
// those of f; an empty content removes a file.
func (r repo) commit(parent string, f files) string {
	r.t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "commit refs/heads/main\ncommitter C <c@example.com> 1700000000 +0000\ndata 7\nmessage\n")
	if parent != "" {
		fmt.Fprintf(&b, "from %s\n", parent)
	}
	for _, path := range slices.Sorted(maps.Keys(f)) {
		mode, name, ok := strings.Cut(path, " ")
		if !ok || len(mode) != 6 || mode[0] != '1' {
			mode, name = "100644", path
		}
		if f[path] == "" {
			fmt.Fprintf(&b, "D %q\n", name)
			continue
		}
		fmt.Fprintf(&b, "M %s inline %q\ndata %d\n%s\n", mode, name, len(f[path]), f[path])
	}
	r.run(r.dir, b.Bytes(), "fast-import", "--quiet", "--force")
	return r.git("rev-parse", "main")
}

// object writes an object of any content, sensible or not.
func (r repo) object(kind string, content []byte) string {
	r.t.Helper()
	return r.run(r.dir, content, "hash-object", "-t", kind, "-w", "--literally", "--stdin")
}

// treeEntry is one raw entry of a tree.
type treeEntry struct{ mode, name, id string }

func (r repo) rawTree(entries ...treeEntry) string {
	r.t.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s\x00", e.mode, e.name)
		for i := 0; i < 40; i += 2 {
			v, err := strconv.ParseUint(e.id[i:i+2], 16, 8)
			if err != nil {
				r.t.Fatal(err)
			}
			b.WriteByte(byte(v))
		}
	}
	return r.object("tree", b.Bytes())
}

func (r repo) commitTree(tree string) string {
	r.t.Helper()
	return r.git("commit-tree", "-m", "message", tree)
}

// open opens the repository as a rebuild does: without a quarantine.
func (r repo) open() *Source {
	r.t.Helper()
	s, err := Open(Options{GitDir: r.dir})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Close() })
	return s
}

// hook makes the test binary the repository's pre-receive hook.
func (r repo) hook() {
	r.t.Helper()
	self, err := os.Executable()
	if err == nil {
		err = os.MkdirAll(filepath.Join(r.dir, "hooks"), 0o755)
	}
	if err == nil {
		err = os.Symlink(self, filepath.Join(r.dir, "hooks", "pre-receive"))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// push pushes main of r to a repository that has the hook, and returns what
// the hook said. app is "" for a push that is not built.
func (r repo) push(to repo, app, manifest string) pushed {
	r.t.Helper()
	out := filepath.Join(r.t.TempDir(), "out")
	text, err := r.try(r.dir, nil, []string{outEnv + "=" + out, appEnv + "=" + app, cacheEnv + "=" + manifest},
		"push", "-q", "--force", "file://"+to.dir, "main")
	var p pushed
	b, readErr := os.ReadFile(out)
	if readErr != nil || json.Unmarshal(b, &p) != nil {
		r.t.Fatalf("the hook did not report: %v\n%s", err, text)
	}
	if (err != nil) != (p.Failed != "") {
		r.t.Fatalf("push: %v, but the hook said %q\n%s", err, p.Failed, text)
	}
	return p
}

// manyFiles are n files of size bytes that do not compress, in 100 folders.
func manyFiles(n, size int) files {
	f := files{"Dockerfile": "FROM scratch\nCOPY . /app/\n"}
	state := uint64(88172645463325252)
	for i := range n {
		b := make([]byte, size)
		for j := range b {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			b[j] = byte(state)
		}
		f[fmt.Sprintf("d%02d/s%d/f%05d", i%50, i%2, i)] = string(b)
	}
	return f
}
