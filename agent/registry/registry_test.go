package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/agent/event"
	"dokku/agent/registry"
	"dokku/agent/store"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s := &store.Store{Root: t.TempDir()}
	check(t, os.MkdirAll(s.Own(), 0o700))
	return s
}

// TestPrepare: files are made once, and what depends on a changed address or port is made
// again. The authority and the password stay, since other servers have them.
func TestPrepare(t *testing.T) {
	s, now := newStore(t), time.Now()
	if _, err := registry.Read(s); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	if _, _, err := registry.Prepare(s, "", 0, now); err == nil || !strings.Contains(err.Error(), "dokku registry:serve --address ADDRESS") {
		t.Errorf("without an address: %v", err)
	}
	for _, bad := range []string{"a b", "https://a", "a/b", "a:5000", "a\"b"} {
		if _, _, err := registry.Prepare(s, bad, 0, now); err == nil || !strings.Contains(err.Error(), "invalid address") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	first, changed, err := registry.Prepare(s, "10.0.0.1", 0, now)
	check(t, err)
	if !changed || first.Server() != "10.0.0.1:5443" || len(first.Password) < 20 {
		t.Errorf("%+v, %t", first, changed)
	}
	if line := first.TrustLine(); !strings.HasPrefix(line, "mkdir -p /etc/docker/certs.d/10.0.0.1:5443 && echo LS0t") ||
		!strings.HasSuffix(line, " | base64 -d > /etc/docker/certs.d/10.0.0.1:5443/ca.crt") {
		t.Error(line)
	}
	again, changed, err := registry.Prepare(s, "", 0, now)
	if err != nil || changed || fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("again: %+v, %t, %v", again, changed, err)
	}
	if read, err := registry.Read(s); err != nil || fmt.Sprint(read) != fmt.Sprint(first) {
		t.Errorf("read: %+v, %v", read, err)
	}
	moved, changed, err := registry.Prepare(s, "registry.example.com", 5444, now)
	if err != nil || !changed || moved.Server() != "registry.example.com:5444" || moved.Password != first.Password || string(moved.Authority) != string(first.Authority) {
		t.Errorf("moved: %+v, %t, %v", moved, changed, err)
	}
	if _, changed, err = registry.Prepare(s, "", 0, now.Add(9*365*24*time.Hour+24*time.Hour)); err != nil || !changed {
		t.Errorf("a certificate that ends in a year: %t, %v", changed, err)
	}
	for _, name := range []string{"ca.key", "server.key", "users", "served.json"} {
		if info, err := os.Stat(s.Own("registry", name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// repository makes the files of a repository in a registry: its manifests, by digest, with
// their tags.
func repository(t *testing.T, s *store.Store, repo string, manifests map[string]string) {
	t.Helper()
	top := s.Own("registry", "images", "docker", "registry", "v2", "repositories", repo, "_manifests")
	for digest, tag := range manifests {
		write(t, filepath.Join(top, "revisions", "sha256", digest, "link"), "sha256:"+digest)
		if tag != "" {
			write(t, filepath.Join(top, "tags", tag, "current", "link"), "sha256:"+digest)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	check(t, os.WriteFile(path, []byte(text), 0o600))
}

// has lists the manifests and the tags of the registry.
func has(t *testing.T, s *store.Store) string {
	t.Helper()
	var list []string
	top := s.Own("registry", "images", "docker", "registry", "v2", "repositories")
	check(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "link" {
			name := strings.NewReplacer("/_manifests/revisions/sha256/", "@", "/_manifests/tags/", ":", "/current", "", "/link", "").Replace(strings.TrimPrefix(path, top+"/"))
			list = append(list, name)
		}
		return err
	}))
	return strings.Join(list, " ")
}

// deployed makes an app with releases whose images were pushed.
func deployed(t *testing.T, s *store.Store, app string, remotes ...string) {
	t.Helper()
	for n, remote := range remotes {
		write(t, s.File(app, "releases", fmt.Sprintf("%d.json", n+1)), fmt.Sprintf(`{"version":1,"number":%d,"image":"sha256:1","remote":%q}`, n+1, remote))
	}
	write(t, s.File(app, "state.json"), fmt.Sprintf(`{"version":1,"current":%d,"registry":{"server":"10.0.0.1:5443","image-repo":"team/%s"}}`, len(remotes), app))
}

// TestImagesAreSwept: what a kept release has stays, what people have tagged stays, and the rest of
// the repositories that dokku pushes to goes. docker-registry collects it then.
func TestImagesAreSwept(t *testing.T) {
	s, bin := newStore(t), t.TempDir()
	write(t, filepath.Join(bin, registry.Program), "#!/bin/sh\necho \"$@\" >>"+bin+"/calls\n")
	check(t, os.Chmod(filepath.Join(bin, registry.Program), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if n, err := registry.Sweep(t.Context(), s, event.Log{}); n != 0 || err != nil {
		t.Errorf("without a registry: %d, %v", n, err)
	}
	_, _, err := registry.Prepare(s, "10.0.0.1", 0, time.Now())
	check(t, err)
	deployed(t, s, "shop", "10.0.0.1:5443/team/shop@sha256:aaa", "elsewhere.test/team/shop@sha256:bbb")
	deployed(t, s, "blog", "10.0.0.1:5443/dokku/blog@sha256:ccc")
	repository(t, s, "team/shop", map[string]string{"aaa": "1", "bbb": "2", "ddd": "", "eee": "latest"})
	repository(t, s, "dokku/blog", map[string]string{"ccc": "1", "fff": "7"})
	repository(t, s, "dokku/gone", map[string]string{"ggg": "1"})
	repository(t, s, "people/own", map[string]string{"hhh": "1"})
	whole := has(t, s)

	l, _, err := s.TryLock("blog", "a push")
	check(t, err)
	if n, err := registry.Sweep(t.Context(), s, event.Log{}); n != 0 || err != nil || has(t, s) != whole {
		t.Errorf("while an app is busy: %d, %v", n, err)
	}
	l.Release()
	if l, _, err = s.TryLock(store.RegistryLock, "a push"); err != nil {
		t.Fatal(err)
	}
	if n, err := registry.Sweep(t.Context(), s, event.Log{}); n != 0 || err != nil || has(t, s) != whole {
		t.Errorf("while an image is pushed: %d, %v", n, err)
	}
	l.Release()

	for _, want := range []int{4, 0} {
		if n, err := registry.Sweep(t.Context(), s, event.Log{}); err != nil || n != want {
			t.Fatalf("it removes %d, want %d: %v", n, want, err)
		}
		if got := has(t, s); got != "dokku/blog@ccc dokku/blog:1 people/own@hhh people/own:1 team/shop@aaa team/shop@eee team/shop:1 team/shop:latest" {
			t.Errorf("it has %s", got)
		}
	}
	if calls, err := os.ReadFile(bin + "/calls"); err != nil || string(calls) != "garbage-collect "+s.Own("registry", "config.yml")+"\n" {
		t.Errorf("it collects by %q, %v", calls, err)
	}
}

// TestInstall: the service starts with its init script, answers with TLS and a password, is
// not restarted without need, and this server's engine trusts it.
func TestInstall(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("the test needs root, which starts the service: sudo ./install.sh test")
	}
	s := newStore(t)
	check(t, os.Chmod(filepath.Dir(filepath.Dir(s.Root)), 0o755))
	h := registry.Host{Etc: t.TempDir(), Name: fmt.Sprintf("dokku-registry-test%d", os.Getpid())}
	script := filepath.Join(h.Etc, "init.d", h.Name)
	t.Cleanup(func() {
		if out, err := exec.Command(script, "stop").CombinedOutput(); err != nil {
			t.Errorf("cannot stop the registry: %v: %s", err, out)
		}
		os.Remove("/var/log/" + h.Name + ".log")
	})
	v, changed, err := registry.Prepare(s, "127.0.0.1", freePort(t), time.Now())
	check(t, err)
	check(t, h.Install(t.Context(), s, v, changed))
	if data, err := os.ReadFile(filepath.Join(h.Etc, "docker", "certs.d", v.Server(), "ca.crt")); err != nil || string(data) != string(v.Authority) {
		t.Errorf("the engine trusts %q, %v", data, err)
	}
	pid := running(t, h)
	check(t, h.Install(t.Context(), s, v, false))
	if now := running(t, h); now != pid {
		t.Errorf("process %s is now %s", pid, now)
	}
	wrong := v
	wrong.Password = "wrong"
	if err := wrong.Answers(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong password: %v", err)
	}
	v, changed, err = registry.Prepare(s, "127.0.0.1", freePort(t), time.Now())
	check(t, err)
	check(t, h.Install(t.Context(), s, v, changed))
	if now := running(t, h); now == pid {
		t.Error("another port does not restart it")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Answers(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
}

func running(t *testing.T, h registry.Host) string {
	t.Helper()
	pid, err := os.ReadFile("/run/" + h.Name + ".pid")
	check(t, err)
	return strings.TrimSpace(string(pid))
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
