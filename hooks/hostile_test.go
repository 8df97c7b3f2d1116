package hooks

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent"
	"dokku/build/buildtest"
)

// send sends a pack to an app as a client of its own making, and sets refs.
func (l *lab) send(app string, p *buildtest.Pack, refs map[string]string) *client {
	l.t.Helper()
	cmd := exec.Command(l.ssh[0], append(l.ssh[1:], l.dest, "git-receive-pack "+app)...)
	cmd.Stdin = bytes.NewReader(p.Requests(refs))
	return l.start(cmd)
}

// TestDeltaBombOverSSH (P4): a pack of 2 MB with a difference that makes 1 GiB took 2 GB in
// git index-pack, before any hook ran. Its memory is limited, and the client reads why.
func TestDeltaBombOverSSH(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	p := &buildtest.Pack{}
	base := p.Add(buildtest.PackBlob, make([]byte, 1<<16))
	p.AddDelta(base, buildtest.Repeat(1<<16, 1<<14))
	rev := p.AddCommit(p.AddTree("100644 base", base))
	out, _ := l.send("hello", p, map[string]string{"refs/heads/other": rev}).wait()
	wantLine(t, out, "cannot take this push to hello: git needs more memory for it than it may have (1.1 GB); ")
	if strings.Contains(out, "nothing new") {
		t.Error("it says that git sent nothing")
	}
	if l.tip("hello", "refs/heads/other") != "" {
		t.Error("the branch exists")
	}
	l.quiet()
}

// TestNoArchive (P2): git archive --remote had upload-archive unpack a branch of 10^10 files,
// which took 9 GB in 18 s and went on when the client had left. It is not served.
func TestNoArchive(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	out := l.start(exec.Command("git", "archive", "--remote="+l.url+"/hello", "main")).fail()
	wantLine(t, out, " !     git archive --remote is not served here; clone the app and run git archive in the clone")
	if n := strings.Count(out, " !  "); n != 1 {
		t.Errorf("the client reads %d lines of ours:\n%s", n, out)
	}
}

// TestCloneEndsWithItsClient (P2): what git computed for a clone went on after the client had
// left. The whole process group ends.
func TestCloneEndsWithItsClient(t *testing.T) {
	root, bin := t.TempDir(), t.TempDir()
	srv, err := agent.Open(root)
	must(t, err)
	must(t, srv.Create(t.Context(), "hello", false))
	file := filepath.Join(bin, "pids")
	// A git that neither reads nor writes, with a child.
	must(t, os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\nsleep 1000 &\necho $$ $! >"+file+".new && mv "+file+".new "+file+"\nwait\n"), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	env := OS()
	env.Root = root
	env.Stdin, err = os.Open(os.DevNull)
	must(t, err)
	read, write, err := os.Pipe()
	must(t, err)
	env.Stdout, env.Stderr = write, write
	done := make(chan int)
	go func() {
		code, _ := serve(context.Background(), env, request{service: "upload-pack", app: "hello"})
		done <- code
	}()
	var text []byte
	eventually(t, "git runs", func() bool { text, err = os.ReadFile(file); return err == nil })
	read.Close()
	pids := strings.Fields(string(text))
	select {
	case <-done:
	case <-time.After(deadline):
		leader, _ := strconv.Atoi(pids[0]) // not reaped: serve has not ended
		unix.Kill(-leader, unix.SIGKILL)
		<-done
		t.Fatal("it goes on")
	}
	for _, pid := range pids {
		n, _ := strconv.Atoi(pid)
		ended(t, "process "+pid, n)
	}
}

// TestNamesThatAreNoApps (L4): each name of an app that never was left the files of two locks.
// A refused push leaves none, nor does one that waited for it.
func TestNamesThatAreNoApps(t *testing.T) {
	l := newLab(t)
	files := func() (list []string) {
		for _, dir := range []string{"locks", "pushes"} {
			found, err := filepath.Glob(filepath.Join(l.root, ".dokku", dir, "[a-z]*"))
			must(t, err)
			list = append(list, found...)
		}
		return list
	}
	one, two := l.push("hello", "main"), l.push("hello", "main")
	l.next("Prepare").reply("fail no")
	l.next("Prepare").reply("fail no")
	one.fail()
	two.fail()
	l.wantGone("hello")
	must(t, os.MkdirAll(filepath.Join(l.root, ".dokku"), 0o700))
	must(t, os.WriteFile(filepath.Join(l.root, ".dokku", "server.json"), []byte(`{"no_auto_create":true}`), 0o600))
	wantLine(t, l.push("other", "main").fail(), "App auto-creation disabled.")
	eventually(t, "no file of a lock is left", func() bool { return len(files()) == 0 })
	must(t, os.Remove(filepath.Join(l.root, ".dokku", "server.json")))
	l.deploy("hello", "main")
	if n := len(files()); n != 2 {
		t.Errorf("an app has the locks %q", files())
	}
}

// TestReplacedObjectOverSSH: a ref in refs/replace/ that leads to itself ended each clone of an app and
// each push to it, also the one that would have deleted the ref.
func TestReplacedObjectOverSSH(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	ref := "refs/replace/" + l.tip("hello", "refs/heads/main")
	dir := filepath.Join(l.root, "hello")
	must(t, os.MkdirAll(filepath.Join(dir, "refs", "replace"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, ref), []byte(filepath.Base(ref)+"\n"), 0o600))
	if out := l.gitIn(l.home, "clone", "-q", l.url+"/hello", "clone"); out != "" {
		t.Errorf("a clone says %s", out)
	}
	c := l.push("hello", ":"+ref)
	l.next("Prepare").reply("ok")
	l.next("Reconcile").reply("ok")
	c.succeed()
	if _, err := os.Stat(filepath.Join(dir, ref)); err == nil {
		t.Error("the ref is there")
	}
}
