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

	"dokku/agent/e2e/lab"
)

// newDatabase starts a container on a network outside of dokku's control. It answers
// "data" at port 5000.
func newDatabase(l *lab.Lab, network string) (name string) {
	l.T.Helper()
	ctx, docker := context.Background(), l.Tools.Docker
	name = network + "-server"
	made, err := docker.ContainerCreate(ctx,
		&container.Config{Image: l.Tools.Base, Cmd: []string{"/server"}, Env: []string{"GREETING=data"}},
		&container.HostConfig{NetworkMode: container.NetworkMode(network)}, nil, nil, name)
	lab.Must(l.T, err)
	l.T.Cleanup(func() { docker.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}) })
	lab.Must(l.T, docker.ContainerStart(ctx, made.ID, container.StartOptions{}))
	return name
}

// newNetwork makes a network with our command. It is removed after its containers.
func newNetwork(l *lab.Lab, name string) string {
	l.T.Helper()
	l.Dokku("network:create", name)
	l.T.Cleanup(func() {
		for n := range *l.Apps {
			l.RemoveAll(l.AppName(n + 1))
		}
		l.Tools.Docker.NetworkRemove(context.Background(), name)
	})
	return name
}

// TestDatabaseOnANetwork: an app reaches a database by its name from the first moment of its
// process, and keeps reaching it across deploys.
func TestDatabaseOnANetwork(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	// The name sorts before the app's own network, so this network has the default route.
	network := newNetwork(l, "a-"+l.AppName(1))
	db := newDatabase(l, network)
	a := l.Deployed(nil)
	fetch := func(what, want string) {
		t.Helper()
		if _, body := a.Get("/fetch?from=" + db + ":5000"); !strings.Contains(body, want) {
			t.Errorf("%s the app gets %q from %s, want %q", what, body, db, want)
		}
	}
	fetch("outside of the network", "error")
	lab.Contains(t, a.Rejected(lab.Files{"Procfile": "web: /server -needs " + db + ":5000\n"}), "exit code 7")

	lab.Contains(t, l.Dokku("network:set", a.Name, "attach-post-create", network), "=====> Setting attach-post-create to "+network)
	fetch("before its next release", "error")
	l.Dokku("ps:restart", a.Name)
	fetch("after a restart", "data")
	a.Push(lab.Files{"Procfile": "web: /server -needs " + db + ":5000\n"})
	fetch("after a push", "data")
	l.Dokku("ps:scale", a.Name, "web=2")
	fetch("scaled", "data")
	a.Serves(a.Tip("main"))
	a.Runs("web.1", "web.2")
	l.Dokku("network:rebuild", a.Name)
	listeners := strings.Fields(l.Dokku("network:report", a.Name, "--network-web-listeners"))
	for _, u := range a.Upstreams() {
		if !slices.Contains(listeners, u.String()) {
			t.Errorf("network:report names %v, nginx %s", listeners, u)
		}
	}

	// Other apps in the network find the app there by its name: its current processes,
	// and the retiring ones while they run.
	b := l.App(nil)
	l.Dokku("apps:create", b.Name)
	l.Dokku("network:set", b.Name, "initial-network", network)
	b.Push(nil)
	if _, body := b.Get("/fetch?from=" + a.Name + ".web:5000"); !strings.Contains(body, " web.") || strings.HasPrefix(body, b.Tip("main")) {
		t.Errorf("another app gets %q", body)
	}
	l.Dokku("proxy:disable", b.Name)
	address := strings.TrimPrefix(strings.TrimSpace(l.Dokku("urls", b.Name)), "http://")
	if _, body, err := b.Ask(address, "/fetch?from="+db+":5000"); !strings.Contains(body, "data") {
		t.Errorf("at its port of the host the other app answers %q, error %v", body, err)
	}

	lab.Contains(t, l.Refused("network:destroy", "--force", network), "in use by app "+a.Name)
	gone := newNetwork(l, l.AppName(1)+"-gone")
	l.Dokku("network:set", a.Name, "attach-post-deploy", gone)
	lab.Must(t, l.Tools.Docker.NetworkRemove(context.Background(), gone))
	lab.Contains(t, a.Rejected(lab.Files{"version": "2"}), "Network "+gone+" does not exist: make it with ssh ", " network:create "+gone)
	fetch("after a rejected push", "data")

	l.Dokku("apps:destroy", "--force", b.Name)
	lab.Contains(t, l.Dokku("apps:destroy", "--force", a.Name), "Kept: network "+network)
	lab.Contains(t, l.Refused("network:destroy", "--force", network), db)
	lab.Contains(t, l.Dokku("network:list"), network+"\n")
}

// TestStorageAndLimits: a release reads the storage that the previous one has written, and the
// storage outlives the app.
func TestStorageAndLimits(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	root, err := filepath.EvalSymlinks(t.TempDir())
	lab.Must(t, err)
	l.Configure(map[string]any{"storage_root": root})
	a := l.Deployed(nil)
	dir := filepath.Join(root, "uploads")
	lab.Contains(t, l.Dokku("storage:ensure-directory", "uploads"), "-----> Ensuring "+dir+" exists",
		"       Setting directory ownership to 32767:32767", "       Directory ready for mounting")
	fi, err := os.Stat(dir)
	lab.Must(t, err)
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 32767 || st.Gid != 32767 {
		t.Errorf("the folder belongs to %d:%d", st.Uid, st.Gid)
	}
	l.Dokku("storage:mount", a.Name, dir+":/uploads")
	l.Dokku("storage:mount", a.Name, dir+":/read-only:ro")
	l.Dokku("resource:limit", "--memory", "64", a.Name)
	l.Dokku("resource:limit", "--process-type", "web", "--memory", "48m", "--cpu", "0.5", a.Name)
	ask := func(path, name, text string) string {
		t.Helper()
		_, body := a.Get(path + "?" + url.Values{"path": {name}, "text": {text}}.Encode())
		return body
	}
	if body := ask("/write", "/uploads/file", "one"); !strings.HasPrefix(body, "error") {
		t.Errorf("before its next release the app has the mount: %q", body)
	}
	l.Dokku("ps:restart", a.Name)
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
	a.Push(lab.Files{"version": "2"})
	for _, name := range []string{"/uploads/file", "/read-only/file"} {
		if body := ask("/read", name, ""); body != "one" {
			t.Errorf("after a push %s holds %q", name, body)
		}
	}
	lab.Contains(t, l.Dokku("apps:destroy", "--force", a.Name), "Kept: folder "+dir)
	if data, err := os.ReadFile(filepath.Join(dir, "file")); string(data) != "one" {
		t.Errorf("after apps:destroy the file holds %q, error %v", data, err)
	}
}
