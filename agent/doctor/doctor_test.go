package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/keys"
	"dokku/agent/plan"
	"dokku/agent/store"
)

// TestCompareProcesses: states of processes that the engine in memory cannot produce.
func TestCompareProcesses(t *testing.T) {
	refused := func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
	d := &examination{Server: &agent.Server{Env: &deploy.Env{Dial: refused}}}
	want := plan.Desired{App: "shop", Release: 1, Attempt: "a"}
	for n := range 5 {
		want.Want = append(want.Want, app.Process{Type: "web", Index: n + 1})
	}
	of := func(index int, status engine.Status) engine.Instance {
		return engine.Instance{ID: fmt.Sprint(index), Name: fmt.Sprintf("shop.web.%d", index), App: "shop", Kind: engine.KindDeploy,
			Type: "web", Index: index, Release: 1, Attempt: "a", Status: status, ExitCode: 137, OOMKilled: true, Restarts: 4}
	}
	ended, sick, silent := of(3, engine.StatusExited), of(4, engine.StatusRunning), of(5, engine.StatusRunning)
	ended.Finished = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	sick.Unhealthy = "no queue"
	silent.Address = netip.MustParseAddr("10.192.0.2")
	o := engine.Observed{Instances: []engine.Instance{of(1, engine.StatusRestarting), of(2, engine.StatusPaused), ended, sick, silent}}
	var lines []string
	for _, f := range d.compareProcesses(t.Context(), &app.App{Name: "shop", Current: &app.Release{Port: 5000}}, want, o) {
		lines = append(lines, fmt.Sprintf("%s: %s: %s; %s", f.Title(), f.Status, f.Text, f.Fix))
	}
	if got := strings.Join(lines, "\n"); got != `processes: problem: web.1 keeps ending with exit code 137 (its memory ran out), 4 restarts so far; dokku logs shop -p web.1
processes: problem: web.2 is paused; docker unpause shop.web.2
processes: problem: web.3 has ended with exit code 137 (its memory ran out) at 2026-11-28T12:00:00Z, after 4 restarts; dokku ps:start shop (why it ended: dokku logs shop -p web.3)
processes: problem: web.4 is unhealthy, says the image's HEALTHCHECK: no queue; dokku logs shop -p web.4
processes: problem: web.5 does not accept connections on port 5000; dokku checks:run shop` {
		t.Errorf("got\n%s", got)
	}
}

// TestEngineRestarts: an engine that ends all containers when it restarts is named, with
// the setting, and is no problem.
func TestEngineRestarts(t *testing.T) {
	for ends, want := range map[bool]string{
		false: "engine: ok: 29.7.2, API 1.51",
		true: "engine: ok: 29.7.2, API 1.51\nengine restarts: ok: each will interrupt every app for some seconds; " +
			`to avoid that: set "live-restore": true in /etc/docker/daemon.json, then ` + service("reload", "docker"),
	} {
		d := &examination{Server: serverAt(t.TempDir()), engine: func() (engine.Info, error) {
			return engine.Info{Version: "29.7.2", API: "1.51", EndsContainers: ends}, nil
		}}
		var lines []string
		for _, f := range d.checkEngine(t.Context()) {
			lines = append(lines, fmt.Sprintf("%s: %s: %s", f.Title(), f.Status, f.Text))
		}
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

// TestUnfilteredEngine: an engine without a filter of system calls is a problem: isolation relies on
// it.
func TestUnfilteredEngine(t *testing.T) {
	d := &examination{Server: serverAt(t.TempDir()), engine: func() (engine.Info, error) {
		return engine.Info{Version: "29.7.2", API: "1.51", Unfiltered: true}, nil
	}}
	found := d.checkEngine(t.Context())
	last := found[len(found)-1]
	if last.Check != "engine seccomp" || last.Status != HealthProblem || last.Text != "containers may make any system call: the engine filters none" {
		t.Errorf("it says %+v", last)
	}
}

func serverAt(root string) *agent.Server {
	return &agent.Server{Env: &deploy.Env{Store: &store.Store{Root: root}}}
}

// TestDeployersBuilds: an admin who lets deployers push learns how to have their apps built apart.
func TestDeployersBuilds(t *testing.T) {
	d := &examination{Server: serverAt(t.TempDir()), set: app.Settings{Builder: filepath.Join(t.TempDir(), "builder.sock")}}
	if found := d.checkBuilds("29.7.2"); len(found) > 0 {
		t.Errorf("without a deployer: %+v", found)
	}
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHs3ZHUcAzzNE7YPbXCWZyyFOJQ4xBYZG2pHkIYmNlRp"
	if err := keys.Add(d.Server.Env.Store.Root, "ci", key, keys.Grant{Role: keys.Deployer, Apps: []string{"shop"}}); err != nil {
		t.Fatal(err)
	}
	if found := d.checkBuilds("29.7.2"); len(found) != 1 || found[0].Status != HealthOK || !strings.Contains(found[0].Text, "sudo ./install.sh builder") {
		t.Errorf("with a deployer: %+v", found)
	}
	d.set.Build = map[string]string{app.PropIsolation: app.IsolationEngine}
	if found := d.checkBuilds("29.7.2"); len(found) > 0 {
		t.Errorf("an admin has said otherwise: %+v", found)
	}
}

// TestAgentService: each installation has its own agent.
func TestAgentService(t *testing.T) {
	for prefix, name := range map[string]string{"": "dokku-agent", "beside.": "dokku-beside-agent"} {
		d := &examination{set: app.Settings{NamePrefix: prefix}}
		if got, want := d.agent("start"), service("start", name); got != want {
			t.Errorf("%q: got %s, want %s", prefix, got, want)
		}
	}
}

func TestParseSSHConfig(t *testing.T) {
	d := &examination{Surroundings: Surroundings{SSHConfig: filepath.Join(t.TempDir(), "sshd_config")}}
	for text, want := range map[string]string{
		"":                                  "127.0.0.1:22",
		"Port 2222\nport=22\n":              "127.0.0.1:2222 127.0.0.1:22",
		"ListenAddress 0.0.0.0\nPort 23\n":  "127.0.0.1:23",
		"ListenAddress [::]:24\n":           "127.0.0.1:24",
		"ListenAddress ::1\n":               "[::1]:22",
		"ListenAddress 10.0.0.1:25\n":       "10.0.0.1:25",
		"#Port 1\nMatch User x\n Port 23\n": "127.0.0.1:22",
	} {
		if err := os.WriteFile(d.SSHConfig, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.sshAddresses(), " "); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
