package cgroup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"dokku/agent/cgroup"
	"dokku/agent/cgroup/cgrouptest"
)

// TestMain makes the test binary the dokku binary: a group runs commands by it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == cgroup.RunCommand {
		if err := cgroup.Run(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// in runs a shell's command in a group.
func in(t *testing.T, g *cgroup.Group, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = g.Command("sh", "-c", script)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v, %s", script, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestGroup: what runs in a group shares its memory, and no other does.
func TestGroup(t *testing.T) {
	name := cgrouptest.Tree(t)
	tree, err := cgroup.Open(name)
	must(t, err)
	one, err := tree.Group(64 << 20)
	must(t, err)
	two, err := tree.Group(512 << 20)
	must(t, err)
	const fill = "head -c 128m /dev/zero | tail | wc -c; ulimit -d"
	if got := in(t, one, fill); !strings.HasSuffix(got, "0\nunlimited") {
		t.Errorf("128 MB in a group of 64 MB: %s", got)
	}
	if got := in(t, two, fill); got != "134217728\nunlimited" {
		t.Errorf("128 MB in a group of 512 MB: %s", got)
	}
	if !one.OutOfMemory() || two.OutOfMemory() {
		t.Errorf("out of memory: %t, %t", one.OutOfMemory(), two.OutOfMemory())
	}
	if got := in(t, one, "cat /sys/fs/cgroup/pids/$(sed -n 's/.*:pids:.//p' /proc/self/cgroup)/pids.max 2>/dev/null || cat /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup)/pids.max"); got != "512" {
		t.Errorf("processes: %s", got)
	}
	one.Remove()
	two.Remove()
	if left := cgrouptest.Groups(name); left != nil {
		t.Errorf("%q are left", left)
	}
	// A git that does not get in has a limit of its own.
	if got := in(t, one, "ulimit -d"); got != "65536" {
		t.Errorf("outside of the group, the limit is %s", got)
	}
}

// TestTry: who asks whether gits get into a cgroup reads why not.
func TestTry(t *testing.T) {
	name := cgrouptest.Tree(t)
	if err := cgroup.Try(t.Context(), name, os.Args[0]); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"dokku-none": "no cgroup (/sys/fs/cgroup/", "off": "no cgroup (it is switched off in server.json)", "../x": `no cgroup ("../x" is no name of one: it is dokku, or begins so)`,
	} {
		if err := cgroup.Try(context.Background(), name, os.Args[0]); !errors.Is(err, cgroup.ErrNone) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if err := cgroup.Try(t.Context(), name, "/bin/false"); err == nil || errors.Is(err, cgroup.ErrNone) {
		t.Errorf("a program that does not get in: %v", err)
	}
	if left := cgrouptest.Groups(name); left != nil {
		t.Errorf("%q are left", left)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
