package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"

	"dokku/agent/app"
	"dokku/agent/e2e/lab"
)

// contained returns what holds a container of the app, as docker inspect and the kernel say.
func contained(a *lab.App, dyno string) string {
	a.Lab.T.Helper()
	r, err := a.Lab.Tools.Docker.ContainerInspect(context.Background(), a.Instances()[dyno])
	lab.Must(a.Lab.T, err)
	pids := int64(0)
	if r.HostConfig.PidsLimit != nil {
		pids = *r.HostConfig.PidsLimit
	}
	_, status := a.Get("/read?path=/proc/self/status")
	field := func(name string) string {
		return strings.TrimLeft(regexp.MustCompile(`(?m)^` + name + `:\s+(\S+)$`).FindStringSubmatch(status)[1], "0")
	}
	return fmt.Sprintf("%d processes, memory limit %t, swap beside it %t, %v, capabilities %s, no new privileges %s, filter of system calls %s",
		pids, r.HostConfig.Memory > 0, r.HostConfig.MemorySwap != r.HostConfig.Memory, r.HostConfig.SecurityOpt, field("CapBnd"), field("NoNewPrivs"), field("Seccomp"))
}

const (
	isolated = "4096 processes, memory limit true, swap beside it false, [no-new-privileges], capabilities 5fb, no new privileges 1, filter of system calls 2"
	open     = "0 processes, memory limit false, swap beside it false, [], capabilities a80425fb, no new privileges , filter of system calls 2"
)

// TestIsolatedContainers: the containers of a new app are isolated, and its commands that run once.
// The switch and the way back cost no request.
func TestIsolatedContainers(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": "web: /server\nrelease: /server -exit 0\n"})
	if got := contained(a, "web.1"); got != isolated {
		t.Errorf("a new app has %s, want %s", got, isolated)
	}
	lab.Contains(t, l.Dokku("isolation:report", a.Name), "Isolation enabled:             true", "Isolation running:             true")
	l.Dokku("run:detached", a.Name, "/server")
	for _, c := range a.Containers() {
		r, err := l.Tools.Docker.ContainerInspect(t.Context(), c.ID)
		lab.Must(t, err)
		if h := r.HostConfig; h.PidsLimit == nil || *h.PidsLimit != 4096 || fmt.Sprint(h.SecurityOpt) != "[no-new-privileges]" || fmt.Sprint(h.CapDrop) != "[ALL]" || h.Memory == 0 {
			t.Errorf("the container %v has %+v", c.Names, h)
		}
	}

	lab.Contains(t, l.Dokku("isolation:disable", a.Name), "-----> Disabling isolation for app ("+a.Name+")", "-----> Restarting app "+a.Name)
	if got := contained(a, "web.1"); got != open {
		t.Errorf("without isolation it has %s, want %s", got, open)
	}
	l.Dokku("isolation:enable", a.Name)
	if got := contained(a, "web.1"); got != isolated {
		t.Errorf("with isolation again it has %s, want %s", got, isolated)
	}
	a.Serves(a.Tip("main"))

	// Memory that runs out is called so, with the limit that nobody has set.
	l.Dokku("resource:limit", "--memory", "48", a.Name)
	lab.Contains(t, a.Rejected(lab.Files{"CHECKS": "ATTEMPTS=1\n/eat\n"}), "ran out of memory", "Its memory limit is 48 MB; to double it: ")
}

// older makes the app as a version before isolation has it.
func older(a *lab.App) {
	a.Lab.T.Helper()
	a.Lab.Dokku("apps:create", a.Name)
	path := a.Dir("dokku", "state.json")
	data, err := os.ReadFile(path)
	lab.Must(a.Lab.T, err)
	var state map[string]any
	lab.Must(a.Lab.T, json.Unmarshal(data, &state))
	if state["isolation"] != float64(app.IsolationNow) {
		a.Lab.T.Fatalf("a new app has the state %s", data)
	}
	delete(state, "isolation")
	data, err = json.Marshal(state)
	lab.Must(a.Lab.T, err)
	lab.Must(a.Lab.T, os.WriteFile(path, data, 0o600))
}

// TestUpdateKeepsWhatAppsHave: after an update of the server, an app whose process gains rights by a
// setuid program, one that uses a database of the host at the gateway of its network, and one that
// mounts a folder inside of another one's go on, with the next push and restart too. Doctor names
// each. An app that cannot do without its rights keeps them when isolation:enable fails.
func TestUpdateKeepsWhatAppsHave(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	root, err := filepath.EvalSymlinks(t.TempDir())
	lab.Must(t, err)
	l.Configure(map[string]any{"storage_root": root})
	busybox, err := os.ReadFile("/bin/busybox")
	lab.Must(t, err)

	// busybox says "must be suid" unless it gets root's rights.
	sudo := l.App(lab.Files{"busybox": string(busybox), "Procfile": "web: /start\n",
		"start":      "#!/app/busybox sh\nif /app/busybox crontab -l 2>&1 | /app/busybox grep 'must be suid'; then echo 'sudo: The \"no new privileges\" flag is set'; exit 1; fi\nexec /server\n",
		"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY --chmod=0755 busybox /app/busybox\nRUN [\"/app/busybox\", \"chmod\", \"4755\", \"/app/busybox\"]\nCOPY --chmod=0755 start /start\nEXPOSE 5000\nUSER 1000\nCMD [\"/server\"]\n"})
	older(sudo)
	sudo.Push(nil)

	database := l.App(nil)
	older(database)
	database.Push(nil)
	host, err := net.Listen("tcp4", "0.0.0.0:0")
	lab.Must(t, err)
	server := &httptest.Server{Listener: host, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "rows") })}}
	server.Start()
	t.Cleanup(server.Close)
	n, err := l.Tools.Docker.NetworkInspect(t.Context(), "dokku-"+database.Name, network.InspectOptions{})
	lab.Must(t, err)
	_, port, _ := net.SplitHostPort(host.Addr().String())
	query := func() string {
		_, body := database.Get("/fetch?from=" + n.IPAM.Config[0].Gateway + ":" + port)
		return body
	}

	nested := l.App(nil)
	older(nested)
	lab.Must(t, os.MkdirAll(filepath.Join(root, "shared", "uploads"), 0o777))
	lab.Must(t, os.WriteFile(filepath.Join(root, "shared", "uploads", "file"), []byte("kept"), 0o666))
	inner := filepath.Join(root, "shared", "uploads")
	lab.Contains(t, l.Dokku("storage:mount", nested.Name, inner+":/uploads"), "")
	nested.Push(nil)
	read := func() string { _, body := nested.Get("/read?path=/uploads/file"); return body }

	all := []*lab.App{sudo, database, nested}
	goOn := func(when string) {
		t.Helper()
		for _, a := range all {
			a.Serves(a.Tip("main"))
			a.Runs("web.1")
		}
		if got := query(); got != "rows" {
			t.Errorf("%s the database of the host answers %q", when, got)
		}
		if got := read(); got != "kept" {
			t.Errorf("%s the file has %q", when, got)
		}
		if got := contained(database, "web.1"); got != open {
			t.Errorf("%s an older app has %s, want %s", when, got, open)
		}
	}
	goOn("after the update")
	for _, a := range all {
		a.Push(lab.Files{"version": "2"})
	}
	goOn("after a push")
	for _, a := range all {
		l.Dokku("ps:restart", a.Name)
	}
	goOn("after a restart")
	report, _ := l.Try("doctor")
	lab.Contains(t, report, "isolation", "the containers of 3 apps from before isolation", sudo.Name+", "+database.Name+", "+nested.Name)
	report, _ = l.Try("doctor", nested.Name)
	lab.Contains(t, report, "none, the app is older", "1 mount inside of "+filepath.Join(root, "shared")+", from before isolation")

	lab.Contains(t, l.Refused("isolation:enable", sudo.Name), "no new privileges", "isolation:disable "+sudo.Name)
	lab.Contains(t, l.Refused("isolation:enable", nested.Name), "Storage path "+inner+" lies inside "+filepath.Join(root, "shared"))
	goOn("after a refused switch")
	l.Dokku("isolation:enable", database.Name)
	if got := contained(database, "web.1"); got != isolated {
		t.Errorf("after the switch it has %s, want %s", got, isolated)
	}
	if got := query(); got != "rows" {
		t.Errorf("after the switch the database answers %q", got)
	}
}
