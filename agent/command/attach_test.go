package command

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"dokku/agent/app"
)

func warned(text string) result { return fails(1, " !     "+text+"\n") }

// folder makes a folder in the fixture's data root and returns its path.
func (f *fixture) folder(name string) string {
	f.t.Helper()
	dir := filepath.Join(f.storage(), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
	return dir
}

const later = "       It takes effect with the next deploy or restart (dokku ps:restart hello)\n"

func TestMounts(t *testing.T) {
	f := newFixture(t)
	dir := f.folder("hello")
	f.expect("storage:list hello", ok("-----> hello volume bind-mounts:\n"))
	f.expect("storage:list hello --format json", ok("[]\n"))
	f.expect("storage:mount hello "+dir+"/:/app//storage/", ok(later))
	f.expect("storage:mount hello data:/data:ro", ok(later))
	f.expect("storage:mount fresh data:/data:rw", ok(""))
	lines := "     " + dir + ":/app/storage\n     data:/data:ro\n"
	f.expect("storage:list hello", ok("-----> hello volume bind-mounts:\n"+lines))
	f.expect("--quiet storage:list hello", ok(strings.ReplaceAll(lines, "     ", "")))
	f.expect("storage:list hello --format json", ok(`[{"host_path":"`+dir+`","container_path":"/app/storage","volume_options":""},`+
		`{"host_path":"data","container_path":"/data","volume_options":"ro"}]`+"\n"))
	f.expect("storage:report hello --storage-deploy-mounts", ok("-v "+dir+":/app/storage -v data:/data:ro\n"))
	f.expect("storage:report fresh --format json", ok(`{"attachment.1.container-path":"/data","attachment.1.entry-name":"data","attachment.1.host-path":"data","attachment.1.phases":"deploy,run",`+
		`"attachment.1.process-type":"","attachment.1.readonly":"false","attachment.1.subpath":"","attachment.1.volume-chown":"","attachment.1.volume-options":"","build-mounts":"","deploy-mounts":"-v data:/data","run-mounts":"-v data:/data","storage-attachment.1.container-path":"/data","storage-attachment.1.entry-name":"data",`+
		`"storage-attachment.1.host-path":"data","storage-attachment.1.phases":"deploy,run","storage-attachment.1.process-type":"","storage-attachment.1.readonly":"false",`+
		`"storage-attachment.1.subpath":"","storage-attachment.1.volume-chown":"","storage-attachment.1.volume-options":"","storage-build-mounts":"","storage-deploy-mounts":"-v data:/data",`+
		`"storage-run-mounts":"-v data:/data"}`+"\n"))
	f.terminal = true
	f.expect("storage:list hello", ok("-----> hello volume bind-mounts:\n"+lines))
	f.terminal = false

	before := f.snapshot()
	f.expect("storage:mount hello data:/data", warned("Mount path already exists."))
	f.expect("storage:mount hello other:/data/", warned("Container path /data is taken by data:/data:ro: unmount that first (storage:unmount)"))
	f.expect("storage:unmount hello data:/data:rw", warned("Mount path does not exist."))
	f.expect("storage:unmount hello "+dir+":/data", warned("Mount path does not exist."))
	if f.snapshot() != before {
		t.Error("a refused command changes something")
	}
	f.expect("storage:unmount hello data:/data:ro", ok(later))
	f.expect("storage:unmount hello "+dir+":/app/storage", ok(later))
	f.expect("storage:list hello", ok("-----> hello volume bind-mounts:\n"))
}

// Every mounted folder is below the data root, in whatever form its path is written.
func TestMountsStayInTheDataRoot(t *testing.T) {
	f := newFixture(t)
	root := f.storage()
	f.expect("storage:mount hello "+root+"/hello:/data", warned("cannot use the data root "+root+
		": it does not exist; run as root: install -d -o dokku -g dokku -m 0755 "+root))
	f.folder("hello")
	outside := t.TempDir()
	for name, to := range map[string]string{"out": outside, "root": root, "up": "..", "in": "hello", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	before := f.snapshot()
	for path, want := range map[string]string{
		root:                       "is not below " + root + ": make a folder there",
		root + "/":                 "is not below",
		root + "/hello/..":         "is not below",
		root + "/hello/../../root": "is not below",
		root + "-other":            "is not below",
		outside:                    "is not below",
		root + "/out":              "leads to " + outside + ", which is not below",
		root + "/out/x/../..":      "is not below", // as it is written, before any link
		root + "/root":             "leads to " + root,
		root + "/up/root/hello":    "leads to ",
		root + "/loop":             "cannot read storage path",
		root + "/missing/sub":      "does not exist: dokku storage:ensure-directory missing makes " + root + "/missing",
	} {
		got := f.run("storage:mount", "hello", path+":/data")
		if got.code != 1 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v, want %q", path, got, want)
		}
	}
	if f.snapshot() != before {
		t.Error("a refused command changes something")
	}
	f.expect("storage:mount hello "+root+"/in:/data", ok(later))
	f.expect("storage:mount hello "+root+"/in/../hello:/other", ok(later))
	f.expect("storage:mount hello "+root+"/new:/new", ok("-----> Ensuring "+root+"/new exists\n       Directory ready for mounting\n"+later))
	if fi, err := os.Stat(root + "/new"); err != nil || !fi.IsDir() {
		t.Errorf("the folder of a mount: %v", err)
	}
}

func TestEnsureDirectory(t *testing.T) {
	f := newFixture(t)
	dir := filepath.Join(f.storage(), "data")
	got := f.run("storage:ensure-directory", "data", "--chown", "false")
	if got.code != 1 || !strings.Contains(got.stderr, "run as root: install -d -o dokku") {
		t.Errorf("without a data root: %+v", got)
	}
	f.folder("")
	want := ok("-----> Ensuring " + dir + " exists\n       Directory ready for mounting\n")
	for range 2 {
		f.expect("storage:ensure-directory data --chown false", want)
		if fi, err := os.Stat(dir); err != nil || fi.Mode() != os.ModeDir|0o755 {
			t.Errorf("%v, error %v", fi, err)
		}
	}
	f.expect("--quiet storage:ensure-directory data --chown false", ok(""))
	got = f.run("storage:ensure-directory", "data") // which takes the engine
	if got.code != 1 || !strings.Contains(got.stderr, "or run as root: chown 32767:32767 "+dir) {
		t.Errorf("without an engine: %+v", got)
	}
	if err := os.Symlink("/etc", filepath.Join(f.storage(), "link")); err != nil {
		t.Fatal(err)
	}
	got = f.run("storage:ensure-directory", "link")
	if got.code != 1 || !strings.Contains(got.stderr, "something that is not a folder has that name") {
		t.Errorf("over a link: %+v", got)
	}
}

func TestResources(t *testing.T) {
	f := newFixture(t)
	set := func(what string) string { return "=====> Setting resource " + what + "\n" }
	f.expect("resource:limit hello --memory 512 --cpu 0.5", ok(set("limits for hello")+"       cpu: 0.5\n       memory: 512\n"+later))
	f.expect("resource:limit --process-type worker --memory 1G hello", ok(set("limits for hello (worker)")+"       memory: 1G\n"+later))
	f.expect("resource:reserve --memory 256m hello", ok(set("reservation for hello")+"       memory: 256m\n"+later))
	f.expect("resource:limit --process-type clock --cpu 1 hello", result{stdout: set("limits for hello (clock)") + "       cpu: 1\n" + later,
		stderr: " !     App hello has no process type clock yet, it has: web, worker\n"})
	f.expect("resource:limit fresh --memory 64", ok(set("limits for fresh")+"       memory: 64\n"))
	f.expect("resource:limit hello", ok("=====> resource limits hello information [defaults]\n       cpu: 0.5\n       memory: 512\n       memory-swap:\n"))
	f.expect("resource:limit hello --process-type worker", ok("=====> resource limits hello information (worker)\n       cpu:\n       memory: 1G\n       memory-swap:\n"))
	f.expect("resource:limit taken --cpu 100000 --memory 512MB --network 10", result{
		stdout: "=====> Setting resource limits for taken\n       cpu: 100000\n       memory: 512MB\n       network: 10\n",
		stderr: fmt.Sprintf(" !     This host has %d CPUs: that is the limit until it has more\n", runtime.NumCPU()) +
			" !     The value of network is stored, but nothing limits the network of containers\n"})
	f.expect("--quiet resource:limit taken", ok("       cpu: 100000\n       memory: 512MB\n       memory-swap:\n       network: 10\n"))
	f.expect("resource:reserve taken --cpu 1", result{stdout: "=====> Setting resource reservation for taken\n       cpu: 1\n",
		stderr: " !     The value of cpu is stored, but an engine reserves no CPUs\n"})
	f.expect("--quiet resource:reserve taken", ok("       cpu: 1\n       memory:\n"))
	f.expect("resource:reserve taken --cpu clear", ok("=====> Setting resource reservation for taken\n       cpu: cleared\n"))
	f.expect("resource:limit-clear taken", ok("=====> clearing taken limits\n"))
	f.expect("resource:reserve hello", ok("=====> resource reservation hello information [defaults]\n       cpu:\n       memory: 256m\n"))
	f.expect("resource:report hello", ok("=====> hello resource information\n       _default_ limit cpu:           0.5\n       _default_ limit memory:        512\n"+
		"       _default_ reserve memory:      256m\n       clock limit cpu:               1\n       worker limit memory:           1G\n"))
	f.expect("resource:report hello --resource-worker.limit.memory", ok("1G\n"))
	f.expect("resource:report hello --resource-web.limit.memory", fails(1, " !     Invalid flag passed, valid flags: --resource-TYPE.limit.NAME\n"))
	f.expect("resource:report fresh --format json", ok(`{"_default_.limit.memory":"64","resource-_default_.limit.memory":"64"}`+"\n"))
	f.terminal = true
	f.expect("resource:limit hello --process-type worker", ok("=====> resource limits hello information (worker)\n"+
		"       cpu:\n       memory: 1G\n       memory-swap:\n"))
	f.expect("resource:reserve hello", ok("=====> resource reservation hello information [defaults]\n       cpu:\n       memory: 256m\n"))
	f.terminal = false

	// Inconsistent values are refused for every type and change nothing.
	before := f.snapshot()
	f.expect("resource:limit hello --memory 128", warned("Invalid resources: the memory reservation cannot be more than the memory limit"))
	f.expect("resource:reserve hello --memory 2g --process-type worker",
		warned("Invalid resources: the memory reservation cannot be more than the memory limit (worker)"))
	f.expect("resource:limit hello --memory-swap 512m", warned(
		"Invalid resources: memory-swap is the sum of memory and swap, so it cannot be less than the memory limit (worker)"))
	if f.snapshot() != before {
		t.Error("a refused command changes something")
	}
	f.expect("resource:limit hello --memory-swap 2g", ok(set("limits for hello")+"       memory-swap: 2g\n"+later))
	f.expect("resource:limit-clear hello --process-type _default_", ok("=====> clearing hello limits\n"+later))
	f.expect("resource:limit hello --cpu clear --process-type clock", result{stdout: set("limits for hello (clock)") + "       cpu: cleared\n" + later,
		stderr: " !     App hello has no process type clock yet, it has: web, worker\n"})
	f.expect("resource:report hello", ok("=====> hello resource information\n       _default_ reserve memory:      256m\n       worker limit memory:           1G\n"))
	f.expect("resource:limit-clear hello --process-type worker", ok("=====> clearing hello limits (worker)\n"+later))
	f.expect("resource:reserve-clear hello", ok("=====> clearing hello reservation\n"+later))
	f.expect("resource:report hello", ok("=====> hello resource information\n"))
}

// fakeEngine answers the requests of the network commands to a Docker Engine.
type fakeEngine struct {
	mu   sync.Mutex
	nets []map[string]any
}

// engine gives the fixture an engine with the networks bridge, host, none, the
// own one of hello, and "compose_default".
func (f *fixture) engine() {
	f.t.Helper()
	e := &fakeEngine{}
	for _, name := range []string{"bridge", "host", "none", "compose_default", "dokku-hello"} {
		e.add(name, map[string]string{})
	}
	e.nets[4]["Labels"] = map[string]string{"com.dokku.app-name": "hello"}
	dir, err := os.MkdirTemp("", "engine") // a socket's path is short
	if err != nil {
		f.t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		f.t.Fatal(err)
	}
	server := &http.Server{Handler: e}
	go server.Serve(l)
	f.t.Cleanup(func() { server.Close(); os.RemoveAll(dir) })
	f.write(".dokku/server.json", app.Settings{Version: 1, Docker: "unix://" + l.Addr().String(), StorageRoot: f.storage()})
}

func (e *fakeEngine) add(name string, labels any) {
	e.nets = append(e.nets, map[string]any{"Name": name, "Id": "id-" + name, "Driver": "bridge", "Scope": "local",
		"Labels": labels, "Created": "2026-01-02T03:04:05Z", "IPAM": map[string]any{}})
}

func (e *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/v1.41")
	name, one := strings.CutPrefix(path, "/networks/id-")
	switch {
	case path == "/networks":
		json.NewEncoder(w).Encode(e.nets)
	case path == "/networks/create":
		var q struct {
			Name   string
			Labels map[string]string
		}
		json.NewDecoder(r.Body).Decode(&q)
		e.add(q.Name, q.Labels)
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]string{"Id": "id-" + q.Name})
	case path == "/containers/json":
		w.Write([]byte("[]"))
	case one:
		for i, n := range e.nets {
			if n["Name"] == name && r.Method == http.MethodDelete {
				e.nets = append(e.nets[:i], e.nets[i+1:]...)
				w.WriteHeader(http.StatusNoContent)
				return
			}
			if n["Name"] == name {
				json.NewEncoder(w).Encode(n)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(`{"message":"network ` + name + ` not found"}`))
	}
}

func TestNetworks(t *testing.T) {
	f := newFixture(t)
	f.engine()
	f.expect("network:exists db", warned("Network does not exist"))
	f.expect("network:create db", ok("-----> Creating network db\n"))
	f.expect("network:create db", result{"-----> Creating network db\n", " !     Network db already exists\n", 1})
	f.expect("network:exists db", ok("-----> Network exists\n"))
	f.expect("network:list", ok("=====> Networks\nbridge\ncompose_default\ndb\nhost\nnone\n"))
	info := "       ID:       id-db\n       Name:     db\n       Driver:   bridge\n       Scope:    local\n"
	f.expect("network:info db", ok("=====> db network information\n"+info))
	f.expect("network:info dokku-hello", warned("Network does not exist"))
	asJSON := `{"CreatedAt":"2026-01-02T03:04:05Z","DokkuManaged":true,"Driver":"bridge","ID":"id-db","Internal":false,"IPv6":false,` +
		`"Labels":{"com.dokku.network-name":"db"},"Name":"db","Scope":"local"}` + "\n"
	f.expect("network:info db --format json", ok(asJSON))
	if got := f.run("network:list", "--format", "json").stdout; !strings.Contains(got, strings.TrimSpace(asJSON)) {
		t.Errorf("%s", got)
	}
	f.terminal = true
	f.expect("network:info db", ok("=====> db network information\n"+info))
	f.stdin = "no\n"
	f.expect("network:destroy db", result{"> ", " !     WARNING: Potentially Destructive Action\n !     This command will destroy network db.\n" +
		" !     To proceed, type \"db\"\n !     Confirmation did not match db. Aborted.\n", 1})
	f.terminal = false

	f.expect("network:set hello attach-post-create db", ok("=====> Setting attach-post-create to db\n"+later))
	f.expect("network:set hello attach-post-deploy db", warned("Network name already associated with this app: db"))
	f.expect("network:set hello attach-post-deploy nosuch", result{stdout: "=====> Setting attach-post-deploy to nosuch\n" + later,
		stderr: " !     Network nosuch does not exist: make it with dokku network:create nosuch\n"})
	f.expect("network:set hello attach-post-deploy", ok("=====> Unsetting attach-post-deploy\n"+later))
	f.expect("network:set hello attach-post-create db compose_default", ok("=====> Setting attach-post-create to db,compose_default\n"+later))
	f.expect("network:set --global initial-network compose_default", ok("=====> Setting initial-network to compose_default\n"+
		"       It takes effect in each app with its next deploy or restart (dokku ps:restart --all)\n"))
	f.expect("network:report hello --network-attach-post-create", ok("db,compose_default\n"))
	f.expect("network:report hello --network-computed-initial-network", ok("compose_default\n"))
	f.expect("network:report fresh --network-web-listeners", ok("\n"))

	destroying := "-----> Destroying network db\n"
	f.expect("network:destroy --force db", result{destroying, " !     Network db is in use by app hello: remove it from their settings with network:set first\n", 1})
	f.expect("network:destroy --force nosuch", result{"-----> Destroying network nosuch\n",
		" !     Network nosuch does not exist: make it with dokku network:create nosuch\n", 1})
	f.expect("network:destroy --force compose_default", result{"-----> Destroying network compose_default\n",
		" !     Network compose_default was not made by network:create: remove it with the tool that made it (docker network rm compose_default)\n", 1})
	f.expect("network:set hello attach-post-create", ok("=====> Unsetting attach-post-create\n"+later))
	f.expect("network:report hello --network-attach-post-create", ok("\n"))
	f.expect("network:set --global initial-network", ok("=====> Unsetting initial-network\n"+
		"       It takes effect in each app with its next deploy or restart (dokku ps:restart --all)\n"))
	f.expect("--force network:destroy db", ok(destroying))
	f.expect("network:exists db", warned("Network does not exist"))
}

func TestNetworkSettingsWithoutAnEngine(t *testing.T) {
	f := newFixture(t)
	f.expect("network:set hello tld SVC.local", ok("=====> Setting tld to svc.local\n"+later))
	f.expect("network:set fresh bind-all-interfaces false", ok("=====> Setting bind-all-interfaces to false\n"))
	f.expect("network:report hello --network-computed-tld", ok("svc.local\n"))
	f.expect("network:set hello tld", ok("=====> Unsetting tld\n"+later))
	got := f.run("network:set", "hello", "attach-post-create", "db")
	if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "cannot reach the Docker Engine") {
		t.Errorf("%+v", got)
	}
}
