package remote

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent/event"
	"dokku/build/buildtest"
	"dokku/build/source"
	"dokku/hooks/sshtest"
)

// A bench is a server with the cache of an app, and a git server.
type bench struct {
	*Fetcher
	t       *testing.T
	printed *strings.Builder
	term    *event.Terminal
	// asked counts the requests to the git server.
	asked atomic.Int32
	url   string
	dir   string // of the git server's repositories
}

// newBench starts a git server with http. old: it speaks the first version of git's
// protocol, in which a client may ask for a branch's end only. password is that of the
// user bot; "": none.
func newBench(t *testing.T, old bool, password string) *bench {
	t.Helper()
	root := t.TempDir()
	b := &bench{t: t, dir: t.TempDir(), printed: &strings.Builder{}}
	b.term = event.NewTerminal(b.printed, b.printed, false)
	t.Cleanup(b.term.Close)
	b.Fetcher = &Fetcher{Hosts: Hosts{root}, Cache: filepath.Join(root, "app", "dokku", "fetched"), Limit: Limit{Max: DefaultMaxSize, Setting: PropMaxSize}, Packs: source.DefaultPackLimits, Log: event.New(b.term),
		At: func(string) error { return nil },
		Staging: func() (string, func(), error) {
			dir, err := os.MkdirTemp(root, "source-")
			return dir, func() { os.RemoveAll(dir) }, err
		}}
	git, err := exec.LookPath("git")
	must(t, err)
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + b.dir, "GIT_HTTP_EXPORT_ALL=1",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		user, given, _ := r.BasicAuth()
		if password != "" && (user != "bot" || subtle.ConstantTimeCompare([]byte(given), []byte(password)) != 1) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if old {
			r.Header.Del("Git-Protocol")
		}
		if to, ok := strings.CutPrefix(r.URL.Path, "/moved/"); ok {
			http.Redirect(w, r, "/"+to+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

// allow writes the .netrc of git:auth. Addresses are those to which the password goes by http; the git
// server is one.
func (b *bench) allow(password string, addresses ...string) {
	text := ""
	for _, name := range append([]string{"127.0.0.1", b.url}, addresses...) {
		text += "machine " + name + " login bot password " + password + "\n"
	}
	write(b.t, filepath.Join(b.Hosts.Home, ".netrc"), text)
}

// repo makes a repository of the git server.
func (b *bench) repo(name string) buildtest.Repo {
	return buildtest.NewRepoAt(b.t, filepath.Join(b.dir, name))
}

func (b *bench) submodule(url, commit string) (source.Repository, error) {
	return b.Submodule(b.t.Context(), source.Submodule{Path: "vendor/lib", Commit: commit, URL: url, File: ".gitmodules", Line: 3})
}

// fails fails unless the submodule is refused with a text, and nothing is left.
func (b *bench) fails(url, commit, want string) {
	b.t.Helper()
	_, err := b.submodule(url, commit)
	if err == nil || !strings.HasPrefix(err.Error(), "its URL in .gitmodules, line 3, is "+want) {
		b.t.Errorf("%s: %v, want %q", url, err, want)
	}
	b.tidy()
}

// tidy fails if a fetch left something outside of the cache, or in it something that is
// not whole.
func (b *bench) tidy() {
	b.t.Helper()
	left, err := filepath.Glob(filepath.Join(b.Hosts.Home, "source-*"))
	must(b.t, err)
	list, _ := os.ReadDir(filepath.Join(b.Cache, dirCommits))
	for _, d := range list {
		if len(d.Name()) != 40 {
			left = append(left, d.Name())
		}
	}
	if left != nil {
		b.t.Errorf("%v are left", left)
	}
}

// read returns a file of a commit from a folder of objects alone.
func read(t *testing.T, r source.Repository, commit, name string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, newRepository(dir))
	must(t, os.WriteFile(filepath.Join(dir, "objects/info/alternates"), []byte(r.Objects+"\n"), 0o600))
	return buildtest.At(t, dir).Git("show", commit+":"+name)
}

// commits are those that a cache has.
func (b *bench) commits() (names []string) {
	list, _ := os.ReadDir(filepath.Join(b.Cache, dirCommits))
	for _, d := range list {
		names = append(names, d.Name())
	}
	return names
}

// TestFetch: the pinned commit comes alone, whether or not a branch ends at it, and once.
func TestFetch(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%t", old), func(t *testing.T) {
			b := newBench(t, old, "secret")
			b.allow("secret")
			r := b.repo("lib.git")
			one := r.Commit("", buildtest.Files{"x": "one"})
			two := r.Commit(one, buildtest.Files{"x": "two"})
			r.Commit(two, buildtest.Files{"x": "three"})
			got, err := b.submodule(b.url+"/lib.git", two)
			must(t, err)
			if text := read(t, got, two, "x"); text != "two" || got.URL != b.url+"/lib.git" {
				t.Errorf("x is %q, from %s", text, got.URL)
			}
			b.term.Close()
			if want := "-----> Fetching vendor/lib " + two[:7] + " from " + b.url + "/lib.git\n"; b.printed.String() != want {
				t.Errorf("it printed %q, want %q", b.printed, want)
			}
			asked := b.asked.Load()
			for _, url := range []string{b.url + "/lib.git", "https://another.example.com/lib.git"} {
				_, err = b.submodule(url, two)
				must(t, err)
			}
			if n := b.asked.Load(); n != asked {
				t.Errorf("what is in the cache is asked for again: %d requests", n-asked)
			}
			if want := []string{two}; !slices.Equal(b.commits(), want) {
				t.Errorf("the cache has %v, want %v", b.commits(), want)
			}
			b.tidy()
			// A renamed repository.
			three := r.Git("rev-parse", "main")
			_, err = b.submodule(b.url+"/moved/lib.git", three)
			must(t, err)
			// What the cache has does not make a bad URL good.
			b.fails("file://"+r.Dir, two, "file://"+r.Dir+": file: names a folder of this server")
			if info, err := os.Stat(b.Cache); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the cache is readable by others: %v, %v", info, err)
			}
		})
	}
}

// TestFetchDepth: no history comes.
func TestFetchDepth(t *testing.T) {
	b := newBench(t, false, "")
	b.allow("x")
	r := b.repo("lib.git")
	one := r.Commit("", buildtest.Files{"x": "one"})
	two := r.Commit(one, buildtest.Files{"x": "two"})
	got, err := b.submodule(b.url+"/lib.git", two)
	must(t, err)
	dir := t.TempDir()
	must(t, newRepository(dir))
	must(t, os.WriteFile(filepath.Join(dir, "objects/info/alternates"), []byte(got.Objects+"\n"), 0o600))
	if out, err := buildtest.At(t, dir).Try(dir, nil, nil, "cat-file", "-e", one); err == nil {
		t.Errorf("the history came too: %s", out)
	}
}

// TestFetchRefused: each is refused with its URL and what to do, and leaves nothing.
func TestFetchRefused(t *testing.T) {
	b := newBench(t, false, "")
	r := b.repo("lib.git")
	commit := r.Commit("", buildtest.Files{"x": strings.Repeat("x", 100)})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(b.url, "http://"))
	must(t, err)
	none := strings.Repeat("1", 40)
	private := "the host 127.0.0.1 is not allowed, and its address 127.0.0.1 is not one of the public internet: to allow it, dokku git:auth 127.0.0.1 USER PASSWORD"
	b.fails(b.url+"/lib.git", commit, b.url+"/lib.git: "+private)
	b.fails("http://localhost:"+port+"/lib.git", commit, "http://localhost:"+port+"/lib.git: the host localhost is not allowed, and its address ")
	b.fails("http://[::ffff:127.0.0.1]:"+port+"/lib.git", commit, "http://[::ffff:127.0.0.1]:"+port+"/lib.git: the host ::ffff:127.0.0.1 is not allowed")
	b.fails("https://127.0.0.1:"+port+"/lib.git", commit, "https://127.0.0.1:"+port+"/lib.git: "+private)
	b.fails("git@127.0.0.1:lib.git", commit, "git@127.0.0.1:lib.git: the host is not allowed: to trust its key, dokku git:allow-host 127.0.0.1")
	b.fails("ssh://git@127.0.0.1:"+port+"/lib.git", commit, "ssh://git@127.0.0.1:"+port+"/lib.git: the host is not allowed: to trust its key, dokku git:allow-host 127.0.0.1:"+port)
	if n := b.asked.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	for url, want := range map[string]string{
		"--upload-pack=touch${IFS}x":        "it is not the address of a repository on another server",
		"-x@example.com:a":                  "it is not the address of a repository on another server",
		"ext::touch":                        "it is not the address of a repository on another server",
		"file://" + r.Dir:                   "file: names a folder of this server",
		r.Dir:                               "it is not the address of a repository on another server",
		"git://127.0.0.1/lib.git":           "git: neither encrypts nor asks who you are",
		"../lib.git":                        "it is relative to the repository's own address, which a pushed revision does not have: give the whole address, or deploy the repository with dokku git:sync",
		"https://example.com/a b":           "it has a space or a control character",
		"https://bot:s3cret@example.com/\n": "it has a space or a control character",
	} {
		b.fails(url, commit, event.OneLine(Hidden(url))+": "+want)
	}
	b.allow("x")
	b.fails(b.url+"/lib.git", none, b.url+"/lib.git: the repository has no commit "+none+": push it there")
	b.fails(b.url+"/none.git", commit, b.url+"/none.git: fatal: repository '"+b.url+"/none.git/' not found")
	b.Limit.Max = 100
	b.fails(b.url+"/lib.git", commit, b.url+"/lib.git: it has more than 100 B; to allow more: dokku git:set --global fetch-max-size BYTES")
	b.Limit = Limit{Max: DefaultMaxSize, Room: func() int64 { return 100 }, Space: "free some"}
	b.fails(b.url+"/lib.git", commit, b.url+"/lib.git: the server's disk has no room for more than 100 B of it; free some")
	b.Limit.Room = nil
	b.Offline = true
	b.fails(b.url+"/lib.git", commit, b.url+"/lib.git: it was not fetched")
	if b.commits() != nil {
		t.Errorf("the cache has %v", b.commits())
	}
}

// TestFetchPassword: a wrong password ends with the way to give another one.
func TestFetchPassword(t *testing.T) {
	b := newBench(t, false, "secret")
	commit := b.repo("lib.git").Commit("", buildtest.Files{"x": "x"})
	b.allow("wrong")
	b.fails(b.url+"/lib.git", commit, b.url+"/lib.git: fatal: could not read Username for '"+b.url+"': terminal prompts disabled\nIf the repository is private: dokku git:auth "+b.url+" USER PASSWORD")
	b.allow("secret")
	_, err := b.submodule(b.url+"/lib.git", commit)
	must(t, err)
}

// TestFetchPasswordByHTTP: a submodule at another port of a host with a password, where the pusher had a
// program of theirs, got that password by http. It goes by https alone, or to a port that git:auth names; what the
// submodule's own address has goes everywhere.
func TestFetchPasswordByHTTP(t *testing.T) {
	b := newBench(t, false, "secret")
	commit := b.repo("lib.git").Commit("", buildtest.Files{"x": "x"})
	write(t, filepath.Join(b.Hosts.Home, ".netrc"), "machine 127.0.0.1 login bot password secret\nmachine http://127.0.0.1:1 login bot password secret\n")
	b.fails(b.url+"/lib.git", commit, b.url+"/lib.git: fatal: could not read Username for '"+b.url+"': terminal prompts disabled\n"+
		"If the repository is private: dokku git:auth "+b.url+" USER PASSWORD")
	write(t, filepath.Join(b.Hosts.Home, ".netrc"), "machine 127.0.0.1 login other password other\n")
	_, err := b.submodule(strings.Replace(b.url, "http://", "http://bot:secret@", 1)+"/lib.git", commit)
	must(t, err)
}

// TestFetchRedirect: a server that is allowed cannot send the fetch to one that is not.
func TestFetchRedirect(t *testing.T) {
	b := newBench(t, false, "")
	commit := b.repo("lib.git").Commit("", buildtest.Files{"x": "x"})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(b.url, "http://"))
	must(t, err)
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://localhost:"+port+r.URL.RequestURI(), http.StatusMovedPermanently)
	}))
	defer to.Close()
	b.allow("x")
	b.fails(to.URL+"/lib.git", commit, to.URL+"/lib.git: the host localhost is not allowed, and its address ")
	if n := b.asked.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestFetchRelative: a relative URL is one of the repository that has it.
func TestFetchRelative(t *testing.T) {
	b := newBench(t, false, "")
	b.allow("x")
	commit := b.repo("lib.git").Commit("", buildtest.Files{"x": "x"})
	for _, m := range []source.Submodule{
		{Base: b.url + "/web/app.git", URL: "../../lib.git"},
		{Base: b.url + "/other", URL: "../lib.git"},
	} {
		m.Path, m.Commit, m.File, m.Line = "lib", commit, "x/.gitmodules", 9
		got, err := b.Submodule(t.Context(), m)
		if err != nil || got.URL != b.url+"/lib.git" {
			t.Errorf("%+v: %+v, %v", m, got, err)
		}
	}
	b.Upstream = b.url + "/app"
	got, err := b.submodule("../lib.git", commit)
	if err != nil || got.URL != b.url+"/lib.git" {
		t.Errorf("%+v, %v", got, err)
	}
	b.Upstream = "file:///srv/app"
	b.fails("../lib.git", commit, "../lib.git: file: names a folder of this server")
}

// TestFetchSSH: a host of git:allow-host is asked with the server's own key.
func TestFetchSSH(t *testing.T) {
	b := newBench(t, false, "")
	commit := b.repo("lib.git").Commit("", buildtest.Files{"x": "ssh"})
	must(t, os.MkdirAll(filepath.Join(b.Hosts.Home, ".ssh"), 0o700))
	key := sshtest.Key(t, filepath.Join(b.Hosts.Home, ".ssh", "id_ed25519"))
	s := sshtest.Start(t, t.TempDir(), key+".pub")
	url := s.URL + b.dir + "/lib.git"
	b.fails(url, commit, url+": the host is not allowed: to trust its key, dokku git:allow-host 127.0.0.1:")
	known, err := os.ReadFile(s.Known)
	must(t, err)
	write(t, filepath.Join(b.Hosts.Home, ".ssh", "known_hosts"), string(known))
	got, err := b.submodule(url, commit)
	must(t, err)
	if text := read(t, got, commit, "x"); text != "ssh" {
		t.Errorf("x is %q", text)
	}
	must(t, os.Remove(key))
	one := b.repo("two.git").Commit("", buildtest.Files{"x": "two"})
	b.fails(s.URL+b.dir+"/two.git", one, s.URL+b.dir+"/two.git: ")
}

// TestFetchCancelled: the end of the context ends git, and leaves nothing.
func TestFetchCancelled(t *testing.T) {
	b := newBench(t, false, "")
	b.allow("x")
	arrived, over := make(chan struct{}, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-over }))
	defer s.Close()
	defer close(over)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-arrived; cancel(fmt.Errorf("the client has gone")) }()
	start := time.Now()
	_, err := b.Submodule(ctx, source.Submodule{Path: "lib", Commit: strings.Repeat("1", 40), URL: s.URL + "/lib.git"})
	if err == nil || err.Error() != "the client has gone" || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	b.tidy()
}

// TestTunnel: https passes unread, an address that is not allowed does not.
func TestTunnel(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer s.Close()
	h := Hosts{t.TempDir()}
	tunnel, err := openTunnel(h)
	must(t, err)
	defer tunnel.Close()
	proxy, err := url.Parse(tunnel.url())
	must(t, err)
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.Proxy, transport.DisableKeepAlives = http.ProxyURL(proxy), true
	get := func() string {
		r, err := (&http.Client{Transport: transport}).Get(s.URL)
		if err != nil {
			return err.Error()
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		must(t, err)
		return string(text)
	}
	if got := get(); !strings.Contains(got, "Bad Gateway") || tunnel.first() == nil {
		t.Errorf("%s, %v", got, tunnel.first())
	}
	write(t, filepath.Join(h.Home, ".netrc"), "machine 127.0.0.1 login bot password secret\n")
	if got := get(); got != "hello" {
		t.Errorf("%s", got)
	}
}

// TestPrune: what was used last stays, and what this Fetcher used stays in any case.
func TestPrune(t *testing.T) {
	b := newBench(t, false, "")
	big := func(name string, age time.Duration, size int64) string {
		path := filepath.Join(b.Cache, dirCommits, name, "pack", "x.pack")
		write(t, path, "")
		must(t, os.Truncate(path, size))
		at := time.Now().Add(-age)
		must(t, os.Chtimes(filepath.Join(b.Cache, dirCommits, name), at, at))
		return name
	}
	used := big("used", 9*time.Hour, 3<<30)
	newest, middle := big("newest", time.Hour, 1<<30), big("middle", 2*time.Hour, 1<<30)
	big("oldest", 3*time.Hour, 1)
	if !b.has(filepath.Join(dirCommits, used)) {
		t.Fatal("an entry is not found")
	}
	b.Prune()
	if want := []string{middle, newest, used}; !slices.Equal(b.commits(), want) {
		t.Errorf("the cache has %v, want %v", b.commits(), want)
	}
}
