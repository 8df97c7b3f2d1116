package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake is a tree of version 2 with files of ours in the place of the kernel's.
func fake(t *testing.T, files ...string) (tree Tree, top string) {
	t.Helper()
	tree = Tree{Name: "dokku", root: t.TempDir(), unified: true}
	top = filepath.Join(tree.root, "system.slice", "dokku-git.service")
	for _, file := range files {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(top, file)), 0o755))
		check(t, os.WriteFile(filepath.Join(top, file), nil, 0o644))
	}
	return tree, top
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	check(t, err)
	return string(data)
}

// TestUnified: version 2 has other files. The service's process makes way, and a group gets its bounds.
func TestUnified(t *testing.T) {
	tree, top := fake(t, "cgroup.subtree_control", "keep/cgroup.procs", "git-1-1-1/memory.max", "git-1-1-1/memory.swap.max", "git-1-1-1/pids.max", "git-1-1-1/memory.events")
	if err := tree.usable(); !errors.Is(err, ErrNone) {
		t.Errorf("without controllers: %v", err)
	}
	check(t, tree.clear())
	if got := content(t, top, "keep/cgroup.procs") + " " + content(t, top, "cgroup.subtree_control"); got != "0 +memory +pids +cpu" {
		t.Errorf("the service writes %s", got)
	}
	if _, err := os.Stat(filepath.Join(top, rest)); err != nil {
		t.Error(err)
	}
	check(t, os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), []byte("cpu memory pids\n"), 0o644))
	check(t, tree.usable())
	g := &Group{tree: tree, name: "git-1-1-1", memory: 1 << 30}
	check(t, g.bound())
	if got := content(t, top, g.name, "memory.max") + " " + content(t, top, g.name, "memory.swap.max") + " " + content(t, top, g.name, "pids.max"); got != "1073741824 0 512" {
		t.Errorf("the bounds are %s", got)
	}
	for events, want := range map[string]bool{"low 0\noom 3\noom_kill 0\n": false, "oom 1\noom_kill 1\noom_group_kill 0\n": true, "": false} {
		check(t, os.WriteFile(filepath.Join(top, g.name, "memory.events"), []byte(events), 0o644))
		if g.OutOfMemory() != want {
			t.Errorf("%q: out of memory is %t", events, !want)
		}
	}
}

// TestAttach: who may not move itself has systemd do it, with the number of its own process alone.
func TestAttach(t *testing.T) {
	tree, _ := fake(t)
	said := filepath.Join(t.TempDir(), "said")
	client := filepath.Join(t.TempDir(), "busctl")
	check(t, os.WriteFile(client, []byte("#!/bin/sh\necho \"$PPID $*\" >"+said+"\n[ ! -e "+said+".no ] || { echo 'Access denied' >&2; exit 1; }\n"), 0o700))
	defer func(was string) { busctl = was }(busctl)
	busctl = client
	check(t, tree.join("git-1-1-1"))
	pid, words, _ := strings.Cut(strings.TrimSpace(content(t, said)), " ")
	if want := "--system --quiet --timeout=5 call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager AttachProcessesToUnit ssau dokku-git.service /git-1-1-1 1 " + pid; words != want {
		t.Errorf("it says\n%s, want\n%s", words, want)
	}
	check(t, os.WriteFile(said+".no", nil, 0o600))
	if err := tree.join("git-1-1-1"); err == nil || !strings.Contains(err.Error(), "systemd does not take the process into dokku-git.service: Access denied") {
		t.Errorf("a refusal: %v", err)
	}
}
