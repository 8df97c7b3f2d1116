package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/cgroup/cgrouptest"
)

// TestGitLimits: doctor says in one line whether the gits of a push have a cgroup, and why not.
func TestGitLimits(t *testing.T) {
	enters, fails := filepath.Join(t.TempDir(), "dokku"), filepath.Join(t.TempDir(), "dokku")
	for path, script := range map[string]string{enters: "exit 0", fails: "echo ' !     permission denied' >&2; exit 1"} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	tree := cgrouptest.Tree(t)
	for _, c := range []struct {
		tree, binary string
		status       Health
		text         string
	}{
		{tree, enters, HealthOK, "the gits of a push or a clone may use 1.1 GB of memory together, in a cgroup"},
		{tree, fails, HealthWarning, "the gits of pushes and clones do not get into their cgroup, and have limits one by one: permission denied"},
		{"off", fails, HealthOK, "each git of a push or a clone may use 1.1 GB of memory and as much of the CPUs as an app: there is no cgroup (it is switched off in server.json)"},
		{"dokku-none", fails, HealthOK, "each git of a push or a clone may use 1.1 GB of memory and as much of the CPUs as an app: there is no cgroup (/sys/fs/cgroup/"},
	} {
		d := &examination{Server: &agent.Server{Binary: c.binary}, set: app.Settings{Cgroup: c.tree}}
		found := d.checkGitLimits(t.Context())
		if len(found) != 1 || found[0].Status != c.status || !strings.HasPrefix(found[0].Text, c.text) {
			t.Errorf("%s %s: %+v", c.tree, c.binary, found)
		}
	}
}
