package sources

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"dokku/agent/app"
	"dokku/build/registry"
)

// listener is a program of this server that counts its connections, and its address.
func listener(t *testing.T) (address string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			asked.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), asked
}

// An operator had git:sync ask programs that only this server reaches. Its error told an open port from a closed
// one and what answered there.
func TestSyncOfOperators(t *testing.T) {
	b := newBench(t)
	address, asked := listener(t)
	sync := func(remote string) error {
		i := b.importer()
		i.Bounded = true
		return i.Sync(t.Context(), "hello", Sync{Remote: remote, Ref: "main", Build: true}, b.log)
	}
	const why = ": the host 127.0.0.1 is not allowed, and its address 127.0.0.1 is not one of the public internet: to allow it, dokku git:auth 127.0.0.1 USER PASSWORD"
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	for remote, want := range map[string]string{
		"http://" + address + "/x.git":              "cannot sync with http://" + address + "/x.git" + why,
		"http://127.0.0.1:1/x.git":                  "cannot sync with http://127.0.0.1:1/x.git" + why,
		"https://user:s3cret@" + address + "/x.git": "cannot sync with https://" + address + "/x.git" + why,
		"ssh://git@127.0.0.1:" + port + "/x.git":    "cannot sync with ssh://git@127.0.0.1:" + port + "/x.git: the host is not allowed: to trust its key, dokku git:allow-host 127.0.0.1:" + port,
		"git@127.0.0.1:x.git":                       "cannot sync with git@127.0.0.1:x.git: the host is not allowed: to trust its key, dokku git:allow-host 127.0.0.1",
		"git://" + address + "/x.git":               "cannot sync with git://" + address + "/x.git: git: neither encrypts nor asks who you are, and is not fetched from: give an address of https or ssh",
	} {
		if err := sync(remote); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", remote, err, want)
		}
	}
	b.untouched()
	if n := asked.Load(); n > 0 {
		t.Errorf("it was asked %d times", n)
	}

	// A host that an administrator allowed is fetched from.
	o := newOrigin(b)
	url := o.serve("").URL + "/origin.git/.git"
	must(t, SetAuth(t.Context(), b.server.Env.Store, "127.0.0.1", "bot", "s3cret"))
	must(t, sync(url))
	b.at("main", o.run("rev-parse", "main"))
}

// An operator had git:from-archive ask programs that only this server reaches, by their address or by a redirect
// of a server that may be asked.
func TestArchiveOfOperators(t *testing.T) {
	b := newBench(t)
	address, asked := listener(t)
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	data := tarOf(t, item{name: "Dockerfile", text: "FROM scratch\n", mode: 0o644})
	allowed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "http://localhost:"+port+"/", http.StatusFound)
			return
		}
		w.Write(data)
	}))
	t.Cleanup(allowed.Close)
	fetch := func(url string) error {
		i := b.importer()
		i.Bounded = true
		return i.FromArchive(t.Context(), "hello", Archive{Type: "tar", URL: url}, b.log)
	}
	refused := func(url, host, before string) {
		t.Helper()
		want := "cannot use the tar archive from " + before + ": the host " + host + " is not allowed, and its address "
		if err := fetch(url); err == nil || !strings.HasPrefix(err.Error(), want) ||
			!strings.HasSuffix(err.Error(), " is not one of the public internet: to allow it, dokku git:auth "+host+" USER PASSWORD") {
			t.Errorf("%s: %v\nwant %s", url, err, want)
		}
	}
	t.Setenv("HTTP_PROXY", allowed.URL)
	refused("http://"+address+"/app.tar", "127.0.0.1", "http://"+address+"/app.tar")
	refused("http://127.0.0.1:1/app.tar?token=s3cret", "127.0.0.1", "http://127.0.0.1:1/app.tar")
	refused("http://[::1]:"+port+"/app.tar", "::1", "http://[::1]:"+port+"/app.tar")
	must(t, SetAuth(t.Context(), b.server.Env.Store, "127.0.0.1", "bot", "s3cret"))
	refused(allowed.URL+"/moved", "localhost", allowed.URL+"/moved")
	b.untouched()
	if n := asked.Load(); n > 0 {
		t.Errorf("it was asked %d times", n)
	}
	must(t, fetch(allowed.URL+"/app.tar"))
}

// An operator had the engine log in to a registry at an address of this server alone. The engine's error told what
// listens there.
func TestLoginOfOperators(t *testing.T) {
	b := newBench(t)
	must(t, b.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.Docker = "unix://" + filepath.Join(t.TempDir(), "none.sock")
		return nil
	}))
	login := func(server string) string {
		err := (&Importer{Server: b.server, Bounded: true}).Login(t.Context(), "hello", server, registry.Login{User: "u", Secret: "p"})
		if err == nil {
			t.Fatalf("%s: it is stored", server)
		}
		return err.Error()
	}
	for _, server := range []string{"127.0.0.1:6379", "http://127.0.0.1:6379", "localhost:5000", "[::1]:5000", "169.254.169.254"} {
		host := strings.TrimPrefix(server, "http://")
		if got, want := login(server), "the engine would ask "+host+", an address of this server alone; to allow it, on the server: dokku builder-dockerfile:set --global allowed-hosts "+host; got != want {
			t.Errorf("%s: %s\nwant %s", server, got, want)
		}
	}
	must(t, b.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.Build = map[string]string{app.PropAllowedHosts: "localhost:5000"}
		return nil
	}))
	if got := login("localhost:5000"); !strings.Contains(got, "cannot reach the Docker Engine") {
		t.Errorf("an allowed registry: %s", got)
	}
}
