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
	"dokku/agent/plan"
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
		d := &examination{engine: func() (engine.Info, error) {
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
