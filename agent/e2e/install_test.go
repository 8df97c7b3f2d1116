package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"dokku/agent/e2e/lab"
)

// object is what a fake engine has: a container, a network, an image, a volume, a service or a
// secret. A volume has its name as
// its ID too.
type object struct {
	Name     string `json:",omitempty"`
	ID       string `json:"Id"`
	Labels   map[string]string
	RepoTags []string `json:",omitempty"`

	kind     string
	networks []string // ids or names
	status   string
	inUse    bool
}

// fakeEngine answers the calls of install.sh as an engine does.
type fakeEngine struct {
	mu      sync.Mutex
	objects []*object
	deleted []string
}

func (e *fakeEngine) matches(o *object, filters map[string][]string) bool {
	for _, want := range filters["label"] {
		key, value, exact := strings.Cut(want, "=")
		if got, ok := o.Labels[key]; !ok || exact && got != value {
			return false
		}
	}
	if len(filters["status"]) > 0 && !slices.Contains(filters["status"], o.status) {
		return false
	}
	return len(filters["network"]) == 0 ||
		slices.ContainsFunc(filters["network"], func(n string) bool { return slices.Contains(o.networks, n) })
}

func (e *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if kind == "info" {
		fmt.Fprint(w, `{"ID":"x","Swarm":{"NodeID":"node1","NodeAddr":"10.0.0.1"}}`)
		return
	}
	if id := strings.TrimSuffix(rest, "/json"); id != "" && id != "json" {
		e.one(w, r, kind, id)
		return
	}
	var filters map[string][]string
	if err := json.Unmarshal([]byte(r.URL.Query().Get("filters")), &filters); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	found := []*object{}
	for _, o := range e.objects {
		if o.kind == kind && e.matches(o, filters) {
			found = append(found, o)
		}
	}
	if kind == "volumes" {
		json.NewEncoder(w).Encode(map[string]any{"Volumes": found, "Warnings": nil})
		return
	}
	json.NewEncoder(w).Encode(found)
}

// one answers a call about one object.
func (e *fakeEngine) one(w http.ResponseWriter, r *http.Request, kind, id string) {
	i := slices.IndexFunc(e.objects, func(o *object) bool {
		return o.kind == kind && (o.ID == id || slices.Contains(o.RepoTags, id))
	})
	switch {
	case i < 0:
		http.Error(w, "no such "+kind, http.StatusNotFound)
		return
	case r.Method == http.MethodGet:
		json.NewEncoder(w).Encode(e.objects[i])
		return
	case e.objects[i].inUse:
		http.Error(w, "in use", http.StatusConflict)
		return
	}
	o := e.objects[i]
	if o.RepoTags = slices.DeleteFunc(o.RepoTags, func(t string) bool { return t == id }); len(o.RepoTags) > 0 {
		return
	}
	e.objects = slices.Delete(e.objects, i, i+1)
	e.deleted = append(e.deleted, fmt.Sprint(kind, " ", o.ID))
}

// stored is a volume with these labels.
func stored(name string, labels map[string]string) *object {
	return &object{kind: "volumes", Name: name, ID: name, Labels: labels}
}

// purge runs the part of install.sh that cleans the engine up, for a root.
func purge(t *testing.T, root, socket string) {
	t.Helper()
	if out, err := inInstall(t, root, socket, "purge_engine"); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
}

// inInstall runs words of install.sh for a root.
func inInstall(t *testing.T, root, socket, words string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", installFunctions(t)+"\nOWNER=root HOME_DIR=$1 SOCKET=$2 LOG=$3\n"+words, "./install.sh",
		root, socket, filepath.Join(t.TempDir(), "log"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestPurge: uninstall --purge removes what its root made, and nothing of another root or
// of Dokku on the same engine, not even of an app with the same name.
func TestPurge(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{".dokku/id": "us\n", "shop/dokku/state.json": "{}", "old/dokku/state.json": "{}", "clone.git/HEAD": "x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	app := func(name string, more ...string) map[string]string {
		labels := map[string]string{"com.dokku.app-name": name}
		for i := 0; i < len(more); i += 2 {
			labels["com.dokku."+more[i]] = more[i+1]
		}
		return labels
	}
	e := &fakeEngine{objects: []*object{
		{kind: "networks", Name: "dokku-shop", ID: "n1", Labels: app("shop", "root", "us")},
		{kind: "networks", Name: "dokku-old", ID: "n2", Labels: app("old")},
		{kind: "networks", Name: "dokku-gone", ID: "n3", Labels: app("gone", "root", "us")},
		{kind: "networks", Name: "dokku-shop", ID: "n4", Labels: app("shop", "root", "them")},
		{kind: "networks", Name: "dokku-other", ID: "n5", Labels: app("other", "root", "them")},
		{kind: "containers", ID: "c1", Labels: app("shop", "attempt", "1"), networks: []string{"n1"}},
		{kind: "containers", ID: "c2", Labels: app("shop", "attempt", "1"), networks: []string{"dokku-old"}}, // never started
		{kind: "containers", ID: "c3", Labels: app("gone", "attempt", "1"), networks: []string{"n3"}},
		{kind: "containers", ID: "c4", Labels: app("old", "attempt", "1")}, // its network is gone
		{kind: "containers", ID: "c5", Labels: app("shop", "attempt", "1"), networks: []string{"n4"}},
		{kind: "containers", ID: "c6", Labels: app("shop"), networks: []string{"bridge"}}, // Dokku's
		{kind: "containers", ID: "c7", Labels: app("other", "attempt", "1"), networks: []string{"n5"}},
		{kind: "containers", ID: "c8", Labels: map[string]string{}, networks: []string{"n1"}}, // a database
		{kind: "images", ID: "sha256:1", Labels: app("shop"), RepoTags: []string{"dokku/shop:0123456789ab", "dokku/shop:0123456789ac"}},
		{kind: "images", ID: "sha256:2", Labels: app("shop")},
		{kind: "images", ID: "sha256:3", Labels: app("shop"), RepoTags: []string{"dokku/shop:latest"}},
		{kind: "images", ID: "sha256:4", Labels: app("other"), RepoTags: []string{"dokku/other:0123456789ab"}},
		{kind: "images", ID: "sha256:5", Labels: app("shop"), RepoTags: []string{"dokku/shop:0123456789ad"}, inUse: true},
		{kind: "images", ID: "sha256:6", Labels: app("old"), RepoTags: []string{"dokku/old:latest", "dokku/old:0123456789ae"}},
		{kind: "images", ID: "sha256:7", Labels: map[string]string{"com.dokku.app-name": "shop", "org.label-schema.vendor": "dokku"}}, // Dokku's
		{kind: "services", ID: "s1", Labels: map[string]string{"com.dokku.node-from": "node1", "com.dokku.node-keys": "k"}},
		{kind: "services", ID: "s2", Labels: map[string]string{"com.dokku.node-from": "node2"}}, // another manager's
		{kind: "secrets", ID: "k1", Labels: map[string]string{"com.dokku.node-keys": "k"}},
		{kind: "containers", ID: "t1", Labels: map[string]string{"com.docker.swarm.service.name": "dokku-node"}, status: "exited"},
		{kind: "images", ID: "sha256:8", Labels: map[string]string{"com.dokku.node-program": "p"}},
		stored("cache-old", app("old", "builder-type", "herokuish")),
		stored("old.build.pack-cache", app("old", "pack-builder", "heroku/builder:24 1000:1000")),
		stored("old-data", app("old")), // the app's data
		stored("cache-dokkus", map[string]string{"com.dokku.app-name": "old", "com.dokku.builder-type": "herokuish", "org.label-schema.vendor": "dokku"}),
		stored("cache-shop", app("shop", "builder-type", "herokuish")), // the other root's, too
		stored("cache-other", app("other", "builder-type", "herokuish")),
		{kind: "services", ID: "s3", Labels: app("shop", "attempt", "1")}, // the last one
	}}
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: e}
	go server.Serve(l)
	defer server.Close()
	if out, err := inInstall(t, root, socket, "is_front_door() { false; }; uninstall --purge"); err == nil || !strings.Contains(out, "the swarm of this server still runs shop: ") || e.deleted != nil {
		t.Errorf("with an app on the swarm: %v, %q\n%s", err, e.deleted, out)
	}
	e.mu.Lock()
	e.objects = e.objects[:len(e.objects)-1]
	e.mu.Unlock()
	purge(t, root, socket)
	want := []string{"containers c1", "containers c2", "containers c3", "containers c4", "networks n1", "networks n2", "networks n3",
		"images sha256:6", "volumes cache-old", "volumes old.build.pack-cache", "images sha256:1", "images sha256:2",
		"services s1", "secrets k1", "containers t1", "images sha256:8"}
	if !slices.Equal(e.deleted, want) {
		t.Errorf("removed %q, want %q", e.deleted, want)
	}
	// A second run, and one without a root, find nothing more.
	purge(t, root, socket)
	purge(t, t.TempDir(), socket)
	if len(e.deleted) != len(want) {
		t.Errorf("then removed %q", e.deleted[len(want):])
	}
}

// installFunctions returns the functions of install.sh, without the call of one.
func installFunctions(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(lab.Root(), "install.sh"))
	lab.Must(t, err)
	functions, _, ok := strings.Cut(string(script), "\ncommand=${1:-help}\n")
	if !ok {
		t.Fatal("install.sh has no command=")
	}
	return functions
}
