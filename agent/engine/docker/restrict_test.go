package docker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
)

// restricted starts a container as an isolated app has it.
func restricted(s *engine.Spec) {
	s.Restricted = true
	s.Limits.Pids, s.Limits.Memory, s.Limits.MemorySwap = 64, 64<<20, 64<<20
}

// TestRestricted: each attack that works in a container of the engine's defaults fails in a
// restricted one, and what images do to prepare themselves works in both.
//
// A pusher's app fills the host's table of processes, makes the node of the host's disk, sends
// packets in the name of other apps, and turns a hole in a setuid program into root.
func TestRestricted(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	open := deploy(t, d, appName(t)+"a", enginetest.Program{}, nil)
	closed := deploy(t, d, appName(t)+"b", enginetest.Program{}, restricted)
	does := func(id, script string) bool {
		t.Helper()
		_, code, err := d.Exec(t.Context(), id, []string{"/bin/busybox", "sh", "-c", script})
		if err != nil {
			t.Fatal(err)
		}
		return code == 0
	}
	for _, id := range []string{open.ID, closed.ID} {
		if !does(id, "echo root:x:0:0::/:/bin/sh >/etc/passwd; echo web:x:1000:1000::/:/bin/sh >>/etc/passwd") {
			t.Fatal("the containers get no users")
		}
	}
	const asUser = "busybox su web -c "
	option := deploy(t, d, appName(t)+"c", enginetest.Program{}, func(s *engine.Spec) { s.Options.NoNewPrivileges = true })
	const noNewPrivileges = "busybox grep -q 'NoNewPrivs:.*1' /proc/self/status"
	if does(open.ID, noNewPrivileges) || !does(closed.ID, noNewPrivileges) || !does(option.ID, noNewPrivileges) || !does(option.ID, "busybox mknod /disk b 1 3") {
		t.Error("no-new-privileges is not where it was asked for, or more than that")
	}
	for name, test := range map[string]struct {
		script string
		closed bool
	}{
		"make a device":                {"busybox mknod /disk b 1 3", false},
		"send raw packets":             {"busybox arping -c 1 -w 1 -I lo 127.0.0.1 2>&1 | busybox grep -q -v 'not permitted'", false},
		"change the root folder":       {"busybox chroot / /bin/true", false},
		"give a folder away":           {"busybox mkdir -p /made && busybox chown 1000:1000 /made", true},
		"read a folder of a user":      {"busybox mkdir -p /closed && busybox chmod 700 /closed && busybox chown 1000 /closed && echo x >/closed/x && busybox chmod 755 /closed/x", true},
		"become a user":                {asUser + "'busybox test $(busybox id -u) = 1000'", true},
		"end the process of a user":    {asUser + "'exec sleep 1000' & busybox sleep 1; kill $!", true},
		"listen on port 80":            {"httpd -p 80", true},
		"gain rights by a setuid file": {"busybox mkdir -p /s && busybox cp /bin/busybox /s && busybox chmod 4755 /s/busybox && ! " + asUser + "'/s/busybox crontab -l 2>&1' | busybox grep 'must be suid'", false},
	} {
		if !does(open.ID, test.script) {
			t.Errorf("an app of the engine's defaults cannot %s", name)
		}
		if does(closed.ID, test.script) != test.closed {
			t.Errorf("a restricted app can %s: %t, want %t", name, !test.closed, test.closed)
		}
	}
}

// TestForkBomb: processes that start processes without end stay below the limit, and the end of
// their container ends them.
func TestForkBomb(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	i := deploy(t, d, appName(t), enginetest.Program{}, restricted)
	if _, code, err := d.Exec(t.Context(), i.ID, []string{"sh", "-c", "n=0; while [ $n -lt 500 ]; do sleep 1000 & n=$((n+1)); done"}); err != nil || code == 0 {
		t.Errorf("500 processes started with code %d, %v", code, err)
	}
	top, err := d.Client().ContainerTop(t.Context(), i.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(top.Processes); n > 64 || n < 32 {
		t.Errorf("%d processes run, the limit is 64", n)
	}
}

// TestRestrictedInspect: docker inspect shows the limits and rights.
func TestRestrictedInspect(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	i := deploy(t, d, appName(t), enginetest.Program{}, func(s *engine.Spec) {
		restricted(s)
		s.Options.CapAdd, s.Options.CapDrop = []string{"NET_ADMIN"}, []string{"KILL"}
	})
	r, err := d.Client().ContainerInspect(context.Background(), i.ID)
	if err != nil {
		t.Fatal(err)
	}
	h := r.HostConfig
	if h.PidsLimit == nil || *h.PidsLimit != 64 || h.Memory != 64<<20 || h.MemorySwap != 64<<20 {
		t.Errorf("limits of %v processes, %d bytes, %d with swap", h.PidsLimit, h.Memory, h.MemorySwap)
	}
	if got := strings.Join(h.SecurityOpt, " "); got != "no-new-privileges" {
		t.Errorf("its security options are %q", got)
	}
	const want = "CHOWN DAC_OVERRIDE FOWNER FSETID NET_ADMIN NET_BIND_SERVICE SETGID SETPCAP SETUID"
	if got := strings.ReplaceAll(strings.Join(h.CapAdd, " "), "CAP_", ""); got != want || strings.Join(h.CapDrop, " ") != "ALL" {
		t.Errorf("it has %q without %q, want %q", got, h.CapDrop, want)
	}
	if h.Privileged || h.Init == nil || !*h.Init || h.LogConfig.Config["max-size"] == "" || h.NetworkMode == "host" || h.PidMode != container.PidMode("") || h.IpcMode == "host" {
		t.Errorf("it has the settings %+v", h)
	}
	if i.Limits != (engine.Limits{Memory: 64 << 20, MemorySwap: 64 << 20, Pids: 64}) {
		t.Errorf("the engine reports %+v", i.Limits)
	}
	// The engine's own filter of system calls applies: nothing here names another one.
	out, _, err := d.Exec(t.Context(), i.ID, []string{"sh", "-c", "while read -r a b; do case $a in Seccomp:|NoNewPrivs:) echo $a $b;; esac; done </proc/self/status"})
	if got := strings.Join(strings.Fields(string(out)), " "); got != "NoNewPrivs: 1 Seccomp: 2" || err != nil {
		t.Errorf("its processes have %q (%v)", got, err)
	}
}
