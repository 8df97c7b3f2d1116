package sources

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/hooks/sshtest"
)

// A origin is a repository that another server has.
type origin struct {
	*bench
	dir string
}

// newOrigin makes a repository with a commit on main.
func newOrigin(b *bench) *origin {
	b.t.Helper()
	o := &origin{b, filepath.Join(b.t.TempDir(), "origin.git")}
	b.git("init", "-q", "-b", "main", o.dir)
	o.commit("main", "one")
	return o
}

func (o *origin) run(args ...string) string {
	o.t.Helper()
	return o.git(append([]string{"-C", o.dir}, args...)...)
}

// commit adds a commit to a branch and returns its id.
func (o *origin) commit(branch, text string) string {
	o.t.Helper()
	if cmd := exec.Command("git", "-C", o.dir, "rev-parse", "-q", "--verify", "refs/heads/"+branch); cmd.Run() == nil || branch == "main" {
		o.run("symbolic-ref", "HEAD", "refs/heads/"+branch)
	} else {
		o.run("checkout", "-q", "-b", branch)
	}
	must(o.t, os.WriteFile(filepath.Join(o.dir, "Dockerfile"), []byte("FROM scratch\nLABEL x="+text+"\n"), 0o600))
	o.run("add", "-A")
	o.run("commit", "-q", "-m", text)
	return o.run("rev-parse", "HEAD")
}

// serve answers for the repository by http; password is that of the user bot, "": none.
func (o *origin) serve(password string) *httptest.Server {
	git, err := exec.LookPath("git")
	must(o.t, err)
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(o.dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if password != "" && (user != "bot" || subtle.ConstantTimeCompare([]byte(given), []byte(password)) != 1) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	o.t.Cleanup(s.Close)
	return s
}

func (b *bench) sync(s Sync) error {
	b.t.Helper()
	return b.importer().Sync(b.t.Context(), "hello", s, b.log)
}

// at fails unless main of the app is the commit.
func (b *bench) at(branch, want string) {
	b.t.Helper()
	if got := b.repo("rev-parse", "refs/heads/"+branch); got != want {
		b.t.Errorf("%s is %s, want %s", branch, got, want)
	}
}

// TestSyncRefs fetches branches, tags and commits by http.
func TestSyncRefs(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	url := o.serve("").URL + "/origin.git/.git"
	one := o.run("rev-parse", "main")
	o.run("tag", "v1")
	o.run("tag", "-a", "v1-annotated", "-m", "text")
	two := o.commit("main", "two")
	feature := o.commit("feature", "feature")
	o.run("checkout", "-q", "main")
	hidden := o.commit("hidden", "hidden")
	o.run("checkout", "-q", "main")

	must(t, b.sync(Sync{Remote: url}))
	b.at("main", two)
	if p := b.pushed[0]; !p.Origin.SkipDeploy || p.Origin.Adopt != "main" || p.Origin.Source.Kind != "git-sync" || p.Origin.Source.From != url+"#"+two {
		t.Errorf("the push is %+v", p)
	}
	if a, err := b.server.Load("hello"); err != nil || a.State.Synced == nil ||
		*a.State.Synced != (app.Synced{Revision: two, Source: app.Source{Kind: "git-sync", From: url + "#" + two}}) {
		t.Errorf("the state has %+v, %v", a.State.Synced, err)
	}
	for ref, want := range map[string]string{"v1": one, "v1-annotated": one, two: two, two[:9]: two, "feature": feature, "refs/tags/v1": one,
		"hidden": hidden, hidden: hidden, "": two} {
		must(t, b.sync(Sync{Remote: url, Ref: ref, Build: true, IfChanged: true}))
		b.at("main", want)
	}
	a, err := b.server.Load("hello")
	must(t, err)
	if a.State.DeployBranch != "main" {
		t.Errorf("the deploy branch is %q", a.State.DeployBranch)
	}
	must(t, b.sync(Sync{Remote: url, Build: true, IfChanged: true})) // after whichever ref was last
	pushes := len(b.pushed)
	must(t, b.sync(Sync{Remote: url, Build: true, IfChanged: true}))
	if b.term.Close(); len(b.pushed) != pushes || !strings.Contains(b.printed.String(), "       Skipping build as no changes were detected\n") {
		t.Errorf("nothing changed, and it prints\n%s", b.printed)
	}
	// Nothing of the fetch stays but the commits.
	if refs := b.repo("for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Errorf("the app's refs: %s", refs)
	}
}

// TestSyncRewritten: a remote without the old history moves the branch all the same.
func TestSyncRewritten(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	url := o.serve("").URL + "/origin.git/.git"
	must(t, b.sync(Sync{Remote: url}))
	o.run("checkout", "-q", "--orphan", "other")
	id := o.commit("other", "other")
	o.run("branch", "-f", "main", id)
	must(t, b.sync(Sync{Remote: url, Ref: "main"}))
	b.at("main", id)
}

// TestSyncBranch: the first branch becomes the deploy branch, and so does the remote's own.
func TestSyncBranch(t *testing.T) {
	for _, test := range []struct {
		ref    string
		keep   bool
		branch string // of the app
		adopts string
	}{
		{"trunk", false, "trunk", "trunk"}, {"trunk", true, "master", "master"}, {"", false, "trunk", "trunk"},
	} {
		b := newBench(t)
		o := newOrigin(b)
		o.run("branch", "-m", "trunk")
		url := o.serve("").URL + "/origin.git/.git"
		must(t, b.sync(Sync{Remote: url, Ref: test.ref, KeepBranch: test.keep}))
		b.at(test.branch, o.run("rev-parse", "trunk"))
		a, err := b.server.Load("hello")
		must(t, err)
		if a.State.DeployBranch != test.adopts {
			t.Errorf("%+v: the deploy branch is %q", test, a.State.DeployBranch)
		}
	}
}

// TestSyncRefused: each address and ref that cannot be is refused, and nothing is left.
func TestSyncRefused(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	url := o.serve("").URL + "/origin.git/.git"
	for _, test := range [][3]string{
		{url, "none", "the repository has no such branch, tag or commit"},
		{url, strings.Repeat("0", 40), "the repository has no such branch, tag or commit"},
		{url, "--upload-pack=touch /tmp/x", "it is not the name of a branch"},
		{url, "a..b", "it is not the name of a branch"},
		{url, "main:refs/heads/x", "it is not the name of a branch"},
		{url + "/none", "", "not found"},
		{"file://" + o.dir, "", "file: names a folder of this server"},
		{o.dir, "", "it is not the address of a repository on another server"},
		{"ext::sh -c 'touch /tmp/x'", "", "it has a space or a control character"},
		{"ext::x", "", "it is not the address"},
		{"--upload-pack=x", "", "it is not the address"},
		{"ssh://-oProxyCommand=x/y", "", "it names no host"},
		{"-oProxyCommand=x:y", "", "it is not the address"},
		{"https:///x", "", "it names no host"},
		{"ftp://example.com/x", "", `the protocol "ftp" is not supported`},
		{"http://user:s3cret@127.0.0.1:1/x.git", "", "cannot sync with http://127.0.0.1:1/x.git: fatal: unable to access"},
	} {
		err := b.sync(Sync{Remote: test[0], Ref: test[1], Build: true})
		if err == nil || !strings.Contains(err.Error(), test[2]) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s %s: %v, want %q", test[0], test[1], err, test[2])
		}
	}
	b.untouched()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.importer().Sync(ctx, "hello", Sync{Remote: url}, b.log); err == nil {
		t.Error("a cancelled sync succeeds")
	}
	b.untouched()
}

// TestSyncPassword: git:auth's password is used for its host, and no other one.
func TestSyncPassword(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	url := o.serve("s3cret").URL + "/origin.git/.git"
	st := b.server.Env.Store
	refused := func(what string) {
		t.Helper()
		err := b.sync(Sync{Remote: url})
		if err == nil || !strings.Contains(err.Error(), "To trust") && !strings.Contains(err.Error(), "dokku git:auth 127.0.0.1") {
			t.Errorf("%s: %v", what, err)
		}
		b.untouched()
	}
	refused("without a password")
	must(t, SetAuth(t.Context(), st, "127.0.0.1", "bot", "wrong"))
	refused("with a wrong password")
	must(t, SetAuth(t.Context(), st, "localhost", "bot", "s3cret"))
	refused("with another host's password")
	must(t, SetAuth(t.Context(), st, "127.0.0.1", "bot", "s3cret"))
	must(t, b.sync(Sync{Remote: url}))
	b.at("main", o.run("rev-parse", "main"))
	info, err := os.Stat(filepath.Join(st.Root, ".netrc"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf(".netrc has the mode %s", info.Mode())
	}
	for _, test := range []struct {
		user, password string
		want           bool
	}{{"bot", "s3cret", true}, {"bot", "wrong", false}, {"other", "s3cret", false}, {"", "", false}} {
		if got, err := HasAuth(st, "127.0.0.1", test.user, test.password); err != nil || got != test.want {
			t.Errorf("%+v: %t, %v", test, got, err)
		}
	}
	must(t, SetAuth(t.Context(), st, "127.0.0.1", "", ""))
	if got, err := HasAuth(st, "127.0.0.1", "", ""); err != nil || !got {
		t.Errorf("removed: %t, %v", got, err)
	}
	if got, err := HasAuth(st, "localhost", "bot", "s3cret"); err != nil || !got {
		t.Errorf("the other host: %t, %v", got, err)
	}
	for _, bad := range [][3]string{{"a host", "u", "p"}, {"-x", "u", "p"}, {"h", "u u", "p"}, {"h", "u", "p\nmachine x"}, {"h", "u", `"`}} {
		if err := SetAuth(t.Context(), st, bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%q is stored", bad)
		}
	}
}

// TestSyncSSH fetches from an sshd with the server's own key, once its host is trusted.
func TestSyncSSH(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	st := b.server.Env.Store
	if _, err := PublicKey(st); err == nil || !strings.HasPrefix(err.Error(), "There is no deploy key associated with the dokku user.\n") {
		t.Errorf("without a key: %v", err)
	}
	must(t, GenerateKey(t.Context(), st, "dokku@test"))
	key, err := PublicKey(st)
	must(t, err)
	if !strings.HasPrefix(key, "ssh-ed25519 ") || !strings.HasSuffix(key, " dokku@test\n") {
		t.Errorf("the key is %q", key)
	}
	if err := GenerateKey(t.Context(), st, "x"); err == nil || err.Error() != "A deploy key already exists for this host" {
		t.Errorf("a second key: %v", err)
	}
	base := t.TempDir()
	allowed := filepath.Join(base, "authorized_keys")
	must(t, os.WriteFile(allowed, nil, 0o600))
	sshd := sshtest.Start(t, base, allowed)
	url := sshd.URL + o.dir
	host := strings.TrimPrefix(sshd.URL[strings.Index(sshd.URL, "@")+1:], "ssh://")

	if err := b.sync(Sync{Remote: url}); err == nil || !strings.Contains(err.Error(), "Host key verification failed") || !strings.HasSuffix(err.Error(), "dokku git:allow-host "+host) {
		t.Errorf("a host that is not known: %v", err)
	}
	keys, err := AllowHost(t.Context(), st, host)
	must(t, err)
	if len(keys) == 0 || !strings.Contains(keys[0], " SHA256:") {
		t.Errorf("its keys are %q", keys)
	}
	before, err := os.ReadFile(filepath.Join(st.Root, ".ssh", "known_hosts"))
	must(t, err)
	_, err = AllowHost(t.Context(), st, host)
	must(t, err)
	if after, _ := os.ReadFile(filepath.Join(st.Root, ".ssh", "known_hosts")); string(after) != string(before) {
		t.Errorf("twice makes\n%swant\n%s", after, before)
	}
	if err := b.sync(Sync{Remote: url}); err == nil || !strings.Contains(err.Error(), "Permission denied") || !strings.Contains(err.Error(), "dokku git:public-key") {
		t.Errorf("a key that is not allowed: %v", err)
	}
	b.untouched()
	must(t, os.WriteFile(allowed, []byte(key), 0o600))
	must(t, b.sync(Sync{Remote: url}))
	b.at("main", o.run("rev-parse", "main"))
	if _, err := AllowHost(t.Context(), st, "127.0.0.1:1"); err == nil {
		t.Error("a port without a server is trusted")
	}
	if _, err := AllowHost(t.Context(), st, "-oProxyCommand=x"); err == nil {
		t.Error("an option is taken for a host")
	}
}

// TestSyncTooLarge: a fetch ends at the setting pack-max-size, and where the disk has no
// room; nothing is left.
func TestSyncTooLarge(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	url := o.serve("").URL + "/origin.git/.git"
	big := make([]byte, 300_000)
	rand.Read(big)
	must(t, os.WriteFile(filepath.Join(o.dir, "big"), big, 0o600))
	o.run("add", "big")
	o.run("commit", "-q", "-m", "big")
	full := o.run("rev-parse", "main")
	b.limit(PropMaxPack, "200000")
	for _, ref := range []string{"", full, full[:10]} {
		err := b.sync(Sync{Remote: url, Ref: ref, Build: true})
		if want := "cannot sync with " + url + ": it has more than 200 kB; to allow more: dokku git:set --global pack-max-size BYTES"; err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", ref, err, want)
		}
		b.untouched()
	}
	b.limit(PropMaxPack, "400000")
	free := int64(100<<20 + 200_000)
	b.server.Env.FreeSpace = func(string) (int64, error) { return free, nil }
	err := b.sync(Sync{Remote: url})
	if want := "cannot sync with " + url + ": the server's disk has no room for more than 200 kB of it; free some on the server: dokku cleanup, docker builder prune"; err == nil || err.Error() != want {
		t.Errorf("on a full disk: %v, want %s", err, want)
	}
	free = 100<<20 - 1
	if err := b.sync(Sync{Remote: url}); err == nil || !strings.HasPrefix(err.Error(), "cannot sync: the server's disk is full (105 MB left in ") {
		t.Errorf("on a fuller disk: %v", err)
	}
	b.untouched()
	b.server.Env.FreeSpace = nil
	must(t, b.sync(Sync{Remote: url}))
	b.at("main", full)
}
