package e2e

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"dokku/agent/e2e/fault"
	"dokku/agent/e2e/lab"
)

// A gitServer has repositories, which it gives away by http for a password.
type gitServer struct {
	*httptest.Server
	dir string
	// hold makes requests wait until it is closed, once it is set.
	hold atomic.Pointer[chan struct{}]
	held chan struct{} // gets a value for each request that waits
}

const gitPassword = "s3cret"

func newGitServer(t *testing.T) *gitServer {
	t.Helper()
	git, err := exec.LookPath("git")
	lab.Must(t, err)
	s := &gitServer{dir: t.TempDir(), held: make(chan struct{}, 100)}
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + s.dir, "GIT_HTTP_EXPORT_ALL=1",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hold := s.hold.Load(); hold != nil {
			s.held <- struct{}{}
			<-*hold
		}
		if _, given, _ := r.BasicAuth(); subtle.ConstantTimeCompare([]byte(given), []byte(gitPassword)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// stop makes all further requests wait until the test calls the function it returns.
func (s *gitServer) stop() (resume func()) {
	hold := make(chan struct{})
	s.hold.Store(&hold)
	return func() { s.hold.Store(nil); close(hold) }
}

// commit adds a commit to a repository of the server, made if need be, and returns its id.
// links are commits of other repositories by their path.
func (s *gitServer) commit(a *lab.App, name string, files lab.Files, links map[string]string) string {
	a.Lab.T.Helper()
	dir := filepath.Join(s.dir, name)
	git := func(args ...string) string { return a.Git(append([]string{"-C", dir}, args...)...) }
	if !lab.Exists(dir) {
		a.Git("init", "-q", "-b", "main", dir)
	}
	for path, text := range files {
		lab.Must(a.Lab.T, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700))
		lab.Must(a.Lab.T, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
		git("add", path)
	}
	for path, commit := range links {
		git("update-index", "--add", "--cacheinfo", "160000,"+commit+","+path)
	}
	git("commit", "-q", "-m", "x")
	return git("rev-parse", "HEAD")
}

// link makes the next commit of an app pin a commit at a path.
func link(a *lab.App, path, commit string) {
	a.Lab.T.Helper()
	lab.Must(a.Lab.T, os.MkdirAll(filepath.Join(a.Work, path), 0o700))
	a.Git("update-index", "--add", "--cacheinfo", "160000,"+commit+","+path)
}

func gitmodules(path, url string) string {
	return "[submodule \"" + path + "\"]\n\tpath = " + path + "\n\turl = " + url + "\n"
}

// TestSubmodules: a push with nested submodules of a server with a password is refused
// until its host is allowed, builds with their files, and needs no server for the same
// commits again. A fetch that was killed leaves nothing.
func TestSubmodules(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	s := newGitServer(t)
	a := l.App(lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nCOPY vendor/lib/in/deep /deep\nCMD [\"/server\"]\n"})
	inner := s.commit(a, "inner.git", lab.Files{"deep": "x", "Procfile": "web: /server -say=from-the-submodule\n"}, nil)
	lib := s.commit(a, "lib.git", lab.Files{"lib.c": "x", ".gitmodules": gitmodules("in", "../../inner.git/.git")}, map[string]string{"in": inner})
	lab.Must(t, os.Symlink("vendor/lib/in/Procfile", filepath.Join(a.Work, "Procfile")))
	a.Commit(lab.Files{})
	url := s.URL + "/lib.git/.git"

	push := func(f lab.Files, commit string) lab.Files {
		link(a, "vendor/lib", commit)
		return f
	}
	modules := lab.Files{".gitmodules": gitmodules("vendor/lib", url)}
	lab.Contains(t, a.Rejected(push(modules, lib)), " !     cannot deploy ", ": vendor/lib: its URL in .gitmodules, line 3, is "+url+
		": the host 127.0.0.1 is not allowed, and its address 127.0.0.1 is not one of the public internet: to allow it, ssh ", " git:auth 127.0.0.1 USER PASSWORD")
	l.Dokku("git:auth", s.URL, "bot", gitPassword)
	out := a.Push(push(modules, lib))
	lab.Contains(t, out, "-----> Fetching vendor/lib "+lib[:7]+" from "+url, "-----> Fetching vendor/lib/in "+inner[:7]+" from "+s.URL+"/inner.git/.git")
	lab.Lacks(t, out+string(a.Read("dokku", "deploys", "1.log")), gitPassword)
	a.Serves(a.Tip("main"))
	lab.Contains(t, l.Dokku("logs", a.Name), "from-the-submodule")

	// The process that fetches is killed in the middle, then the wrapper with all others.
	next := s.commit(a, "lib.git", lab.Files{"lib.c": "y"}, nil)
	resume := s.stop()
	before := a.Everything()
	push(nil, next)
	a.Commit(lab.Files{"x": "1"})
	for _, kinds := range [][]string{{"pre-receive"}, {"shell", "receive-pack", "pre-receive"}} {
		p := a.Pushing()
		<-s.held
		fault.Kill(l, kinds...)
		p.Fails()
		lab.WaitFor(t, "the push is over", func() bool { return fault.Idle(a) && len(l.Processes("")) == 0 })
	}
	if after := a.Everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	resume()
	a.Push(nil)
	a.Serves(a.Tip("main"))
	if left, _ := filepath.Glob(filepath.Join(l.Root, ".dokku", "source-*")); left != nil {
		t.Errorf("%v are left", left)
	}

	// The server is gone: the same commits need nobody.
	s.CloseClientConnections()
	s.Server.Close()
	lab.Lacks(t, a.Push(lab.Files{"x": "2"}), "Fetching")
	a.Serves(a.Tip("main"))
	lab.Lacks(t, l.Dokku("ps:rebuild", a.Name), "Fetching")
	l.Dokku("builder:set", a.Name, "build-dir", "vendor/lib/in")
	lab.Contains(t, a.Rejected(lab.Files{"x": "3"}), "it has no Dockerfile in vendor/lib/in, its build-dir")
}

// TestSubmodulesOfASource: a relative URL is one of the repository of git:sync, then of
// ps:rebuild too.
func TestSubmodulesOfASource(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	s := newGitServer(t)
	a := newApp(t, l)
	l.Dokku("git:auth", s.URL, "bot", gitPassword)
	lib := s.commit(a, "lib.git", lab.Files{"Procfile": "web: /server -say=from-the-submodule\n"}, nil)
	s.commit(a, "web.git", lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nCOPY lib/Procfile /\nCMD [\"/server\"]\n",
		".gitmodules": gitmodules("lib", "../../lib.git/.git")}, map[string]string{"lib": lib})
	lab.Lacks(t, l.Dokku("git:sync", a.Name, s.URL+"/web.git/.git"), "Fetching lib")
	out := l.Dokku("ps:rebuild", a.Name)
	lab.Contains(t, out, "-----> Fetching lib "+lib[:7]+" from "+s.URL+"/lib.git/.git", "Application deployed")
	a.Serves(a.Tip("main"))
	lab.Lacks(t, l.Dokku("ps:rebuild", a.Name), "Fetching")
	a.Serves(a.Tip("main"))

	// What a client pushes has no address that ../ could mean.
	a.Git("fetch", "-q", a.Dir(), "main")
	a.Git("reset", "-q", "--hard", "FETCH_HEAD")
	lab.Contains(t, a.Rejected(lab.Files{"x": "1"}), "lib: its URL in .gitmodules, line 3, is ../../lib.git/.git: it is relative to the repository's own address, "+
		"which a pushed revision does not have: give the whole address, or deploy the repository with ssh ", " git:sync", "Nothing has changed: v2 (")
	if strings.Contains(out, gitPassword) {
		t.Error("it prints the password")
	}
}

// TestLFS: a pushed revision is built with what a server of LFS has, and refused without
// it. A second push asks for nothing.
func TestLFS(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	procfile := "web: /server -say=from-large-storage\n"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(procfile)))
	var asked atomic.Int32
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch _, given, _ := r.BasicAuth(); {
		case subtle.ConstantTimeCompare([]byte(given), []byte(gitPassword)) != 1:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/lfs/objects/batch":
			fmt.Fprintf(w, `{"objects": [{"oid": %q, "size": %d, "actions": {"download": {"href": "%s/content"}}}]}`, sum, len(procfile), s.URL)
		default:
			fmt.Fprint(w, procfile)
		}
	}))
	t.Cleanup(s.Close)
	pointer := fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", sum, len(procfile))
	a := l.App(lab.Files{".gitattributes": "Procfile filter=lfs\n"})
	lab.Contains(t, a.Rejected(lab.Files{"Procfile": pointer}), "Procfile: it is a Git LFS pointer, and nothing says where its content is; "+
		"name your server of LFS: git config -f .lfsconfig lfs.url https://...")
	l.Dokku("git:auth", s.URL, "bot", gitPassword)
	out := a.Push(lab.Files{"Procfile": pointer, ".lfsconfig": "[lfs]\n\turl = " + s.URL + "/lfs\n"})
	lab.Contains(t, out, "-----> Fetching the content of Procfile from "+s.URL+"/lfs", "Application deployed")
	a.Serves(a.Tip("main"))
	lab.Contains(t, l.Dokku("logs", a.Name), "from-large-storage")
	if n := asked.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
	s.Close()
	lab.Lacks(t, a.Push(lab.Files{"x": "1"}), "Fetching")
	a.Serves(a.Tip("main"))
}
