package e2e

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// database starts a container of the user's own on a network, which no command of
// ours knows of. It answers "data" at port 5000.
func (l *lab) database(network string) (name string) {
	l.t.Helper()
	ctx, docker := context.Background(), l.tools.docker
	name = network + "-server"
	made, err := docker.ContainerCreate(ctx,
		&container.Config{Image: l.tools.base, Cmd: []string{"/server"}, Env: []string{"GREETING=data"}},
		&container.HostConfig{NetworkMode: container.NetworkMode(network)}, nil, nil, name)
	must(l.t, err)
	l.t.Cleanup(func() { docker.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}) })
	must(l.t, docker.ContainerStart(ctx, made.ID, container.StartOptions{}))
	return name
}

// network makes a network with our command; it goes after what is in it.
func (l *lab) network(name string) string {
	l.t.Helper()
	l.dokku("network:create", name)
	l.t.Cleanup(func() {
		for n := range *l.apps {
			l.removeAll(l.appName(n + 1))
		}
		l.tools.docker.NetworkRemove(context.Background(), name)
	})
	return name
}

// An app reaches a database by its name, as the first thing that its process
// does, and keeps reaching it whatever is deployed.
func TestDatabaseOnANetwork(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	// Named so, it comes before the app's own, and has the default route.
	network := l.network("a-" + l.appName(1))
	db := l.database(network)
	a := l.deployed(nil)
	fetch := func(what, want string) {
		t.Helper()
		if _, body := a.get("/fetch?from=" + db + ":5000"); !strings.Contains(body, want) {
			t.Errorf("%s the app gets %q from %s, want %q", what, body, db, want)
		}
	}
	fetch("outside of the network", "error")
	contains(t, a.rejected(files{"Procfile": "web: /server -needs " + db + ":5000\n"}), "exit code 7")

	contains(t, l.dokku("network:set", a.name, "attach-post-create", network), "=====> Setting attach-post-create to "+network)
	fetch("before its next release", "error")
	l.dokku("ps:restart", a.name)
	fetch("after a restart", "data")
	a.push(files{"Procfile": "web: /server -needs " + db + ":5000\n"})
	fetch("after a push", "data")
	l.dokku("ps:scale", a.name, "web=2")
	fetch("scaled", "data")
	a.serves(a.tip("main"))
	a.runs("web.1", "web.2")
	l.dokku("network:rebuild", a.name)
	listeners := strings.Fields(l.dokku("network:report", a.name, "--network-web-listeners"))
	for _, u := range a.upstreams() {
		if !slices.Contains(listeners, u.String()) {
			t.Errorf("network:report names %v, nginx %s", listeners, u)
		}
	}

	// Other apps in the network find it under its name there: what serves, and what
	// retires as long as it runs.
	b := l.app(nil)
	l.dokku("apps:create", b.name)
	l.dokku("network:set", b.name, "initial-network", network)
	b.push(nil)
	if _, body := b.get("/fetch?from=" + a.name + ".web:5000"); !strings.Contains(body, " web.") || strings.HasPrefix(body, b.tip("main")) {
		t.Errorf("another app gets %q", body)
	}
	l.dokku("proxy:disable", b.name)
	address := strings.TrimPrefix(strings.TrimSpace(l.dokku("urls", b.name)), "http://")
	if _, body, err := b.ask(address, "/fetch?from="+db+":5000"); !strings.Contains(body, "data") {
		t.Errorf("at its port of the host the other app answers %q, error %v", body, err)
	}

	contains(t, l.refused("network:destroy", "--force", network), "in use by app "+a.name)
	gone := l.network(l.appName(1) + "-gone")
	l.dokku("network:set", a.name, "attach-post-deploy", gone)
	must(t, l.tools.docker.NetworkRemove(context.Background(), gone))
	contains(t, a.rejected(files{"version": "2"}), "Network "+gone+" does not exist: make it with network:create "+gone)
	fetch("after a rejected push", "data")

	l.dokku("apps:destroy", "--force", b.name)
	contains(t, l.dokku("apps:destroy", "--force", a.name), "Kept: network "+network)
	contains(t, l.refused("network:destroy", "--force", network), db)
	contains(t, l.dokku("network:list"), network+"\n")
}

// What one release writes into its storage is what the next one reads, and is
// still there when the app is not.
func TestStorageAndLimits(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	l.configure(map[string]any{"storage_root": root})
	a := l.deployed(nil)
	dir := filepath.Join(root, "uploads")
	contains(t, l.dokku("storage:ensure-directory", "uploads"), "-----> Ensuring "+dir+" exists",
		"       Setting directory ownership to 32767:32767", "       Directory ready for mounting")
	fi, err := os.Stat(dir)
	must(t, err)
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 32767 || st.Gid != 32767 {
		t.Errorf("the folder belongs to %d:%d", st.Uid, st.Gid)
	}
	l.dokku("storage:mount", a.name, dir+":/uploads")
	l.dokku("storage:mount", a.name, dir+":/read-only:ro")
	l.dokku("resource:limit", "--memory", "64", a.name)
	l.dokku("resource:limit", "--process-type", "web", "--memory", "48m", "--cpu", "0.5", a.name)
	ask := func(path, name, text string) string {
		t.Helper()
		_, body := a.get(path + "?" + url.Values{"path": {name}, "text": {text}}.Encode())
		return body
	}
	if body := ask("/write", "/uploads/file", "one"); !strings.HasPrefix(body, "error") {
		t.Errorf("before its next release the app has the mount: %q", body)
	}
	l.dokku("ps:restart", a.name)
	if body := ask("/write", "/uploads/file", "one"); body != "written" {
		t.Errorf("the app cannot write: %q", body)
	}
	if body := ask("/write", "/read-only/file", "two"); !strings.Contains(body, "read-only file system") {
		t.Errorf("the app writes where it may only read: %q", body)
	}
	limit := ask("/read", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "")
	if strings.HasPrefix(limit, "error") {
		limit = ask("/read", "/sys/fs/cgroup/memory.max", "")
	}
	if limit != "50331648\n" {
		t.Errorf("the limit of memory in the container is %q", limit)
	}
	a.push(files{"version": "2"})
	for _, name := range []string{"/uploads/file", "/read-only/file"} {
		if body := ask("/read", name, ""); body != "one" {
			t.Errorf("after a push %s holds %q", name, body)
		}
	}
	contains(t, l.dokku("apps:destroy", "--force", a.name), "Kept: folder "+dir)
	if data, err := os.ReadFile(filepath.Join(dir, "file")); string(data) != "one" {
		t.Errorf("after apps:destroy the file holds %q, error %v", data, err)
	}
}
