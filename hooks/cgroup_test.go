package hooks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent"
	"dokku/agent/cgroup"
	"dokku/agent/cgroup/cgrouptest"
	"dokku/build/buildtest"
)

// inCgroups gives the gits of a server cgroups and returns their name.
func inCgroups(t *testing.T, root string) string {
	t.Helper()
	name := cgrouptest.Tree(t)
	must(t, os.MkdirAll(filepath.Join(root, ".dokku"), 0o700))
	must(t, os.WriteFile(filepath.Join(root, ".dokku", "server.json"), fmt.Appendf(nil, `{"cgroup":%q,"git":{"git-max-memory":"268435456"}}`, name), 0o600))
	return name
}

// dataLimit is the limit of private memory of a process.
func dataLimit(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	must(t, err)
	return strings.Fields(regexp.MustCompile(`(?m)^Max data size.*$`).FindString(string(data)))[3]
}

// TestGitInCgroup: the git of a push is in a cgroup with the server's limit, and nothing else is:
// its hooks and the wrapper are outside. The cgroup ends with the push.
func TestGitInCgroup(t *testing.T) {
	l := newLab(t)
	name := inCgroups(t, l.root)
	c := l.push("hello", "main")
	p := l.next("Prepare")
	hook, git, wrapper := family(p)
	group := strings.TrimPrefix(cgrouptest.Of(t, name, git), "/")
	if group == "" || cgrouptest.Limit(t, name, group) != "268435456" || dataLimit(t, git) != "unlimited" {
		t.Errorf("git is in the cgroup %q, with a limit of its own of %s", group, dataLimit(t, git))
	}
	if in := cgrouptest.Of(t, name, hook); in != "/rest" {
		t.Errorf("pre-receive is in %q", in)
	}
	if in := cgrouptest.Of(t, name, wrapper); in != "" {
		t.Errorf("the wrapper is in %q", in)
	}
	p.reply("ok")
	r := l.next("Reconcile")
	if in := cgrouptest.Of(t, name, r.PID); in != "/rest" {
		t.Errorf("post-receive is in %q", in)
	}
	r.reply("ok")
	c.succeed()
	eventually(t, "the cgroup is removed", func() bool { return len(cgrouptest.Groups(name)) == 0 })
	if out := l.gitIn(l.home, "clone", "-q", l.url+"/hello", "clone"); out != "" {
		t.Errorf("a clone says %s", out)
	}
	eventually(t, "that of the clone is removed", func() bool { return len(cgrouptest.Groups(name)) == 0 })
}

// TestDeltaBombInCgroup (P4): a pack of some hundred bytes with a difference that makes 4 GiB. git index-pack ends in
// its cgroup, the client reads why, and a push beside it goes on.
func TestDeltaBombInCgroup(t *testing.T) {
	l := newLab(t)
	name := inCgroups(t, l.root)
	l.deploy("hello", "main")
	beside := l.push("other", "main")
	waits := l.next("Prepare")
	p := &buildtest.Pack{}
	base := p.Add(buildtest.PackBlob, make([]byte, 1<<16))
	p.AddDelta(base, buildtest.Repeat(1<<16, 1<<16))
	rev := p.AddCommit(p.AddTree("100644 base", base))
	out, _ := l.send("hello", p, map[string]string{"refs/heads/bomb": rev}).wait()
	wantLine(t, out, "cannot take this push to hello: git needs more memory for it than it may have (268 MB); ")
	if !strings.Contains(out, "signal 9") || strings.Contains(out, "nothing new") {
		t.Errorf("the client reads\n%s", out)
	}
	if l.tip("hello", "refs/heads/bomb") != "" {
		t.Error("the branch exists")
	}
	waits.reply("ok")
	l.next("Reconcile").reply("ok")
	beside.succeed()
	eventually(t, "the cgroups are removed", func() bool { return len(cgrouptest.Groups(name)) == 0 })
	l.quiet()
}

// silentClient is the output to a client that reads nothing and stays.
func silentClient(t *testing.T) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { read.Close(); write.Close() })
	return write
}

// fakeGit puts a script in the place of git.
func fakeGit(t *testing.T, script string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "git"), []byte("#!/bin/sh\n"+script), 0o700))
	return folder
}

// TestCloneOutOfMemory: several processes that git starts need more memory together than one
// may have. The client reads which setting bounds it.
func TestCloneOutOfMemory(t *testing.T) {
	root := t.TempDir()
	srv, err := agent.Open(root)
	must(t, err)
	must(t, srv.Create(t.Context(), "hello", false))
	name := inCgroups(t, root)
	t.Setenv("PATH", fakeGit(t, "head -c 200m /dev/zero | tail | wc -c &\nhead -c 200m /dev/zero | tail | wc -c\nwait\n")+":"+os.Getenv("PATH"))
	env := OS()
	env.Root = root
	env.Stdin, err = os.Open(os.DevNull)
	must(t, err)
	env.Stdout = silentClient(t)
	code, err := serve(context.Background(), env, request{service: "upload-pack", app: "hello"})
	want := "cannot serve git upload-pack of hello: git needs more memory for it than it may have (268 MB); clone a part of it (git clone --depth 1), or on the server: dokku git:set --global git-max-memory BYTES"
	if code != 1 || err == nil || err.Error() != want {
		t.Errorf("code %d, %v", code, err)
	}
	if left := cgrouptest.Groups(name); left != nil {
		t.Errorf("%q are left", left)
	}
}

// TestKilledWrapperLeavesNoCgroup: the wrapper of a clone is killed with KILL, and its git ignores
// what the kernel sends then. The agent ends it and removes the cgroup; those of others stay.
func TestKilledWrapperLeavesNoCgroup(t *testing.T) {
	root := t.TempDir()
	srv, err := agent.Open(root)
	must(t, err)
	must(t, srv.Create(t.Context(), "hello", false))
	name := inCgroups(t, root)
	pids := filepath.Join(root, "pids")
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "serve", "hello")
		cmd.Env = append(os.Environ(), "DOKKU_ROOT="+root, "PATH="+fakeGit(t, "trap '' TERM\nsleep 1000 &\necho $$ $! >>"+pids+"\nwhile :; do wait; done\n")+":"+os.Getenv("PATH"))
		cmd.Stdout, cmd.Stderr = silentClient(t), os.Stderr
		must(t, cmd.Start())
		return cmd
	}
	read := func(lines int) (list []int) {
		eventually(t, "git runs", func() bool {
			data, _ := os.ReadFile(pids)
			return strings.Count(string(data), "\n") == lines
		})
		data, err := os.ReadFile(pids)
		must(t, err)
		for _, word := range strings.Fields(string(data)) {
			n, err := strconv.Atoi(word)
			must(t, err)
			list = append(list, n)
		}
		return list
	}
	killed := start()
	gits := read(1)
	lives := start()
	gits = append(gits, read(2)[2:]...)
	t.Cleanup(func() { lives.Process.Kill(); lives.Wait() })
	kill(t, killed.Process.Pid)
	killed.Wait()
	tree, err := cgroup.Open(name)
	must(t, err)
	var agent cgroup.Sweeper
	agent.Sweep(tree)
	agent.Sweep(tree)
	ended(t, "git", gits[0])
	ended(t, "what git has started", gits[1])
	stays := cgrouptest.Of(t, name, gits[2])
	eventually(t, "its cgroup is removed", func() bool {
		agent.Sweep(tree)
		for _, group := range cgrouptest.Groups(name) {
			if "/"+group != stays {
				return false
			}
		}
		return true
	})
	if state, _ := processState(gits[2]); state == 0 || stays == "" || len(cgrouptest.Groups(name)) == 0 {
		t.Errorf("the git of another client is in %q, state %c", stays, state)
	}
	must(t, unix.Kill(gits[2], unix.SIGKILL))
}
