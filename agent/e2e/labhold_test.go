package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The end-to-end tests run the built program against a real git, sshd, nginx
// and Docker Engine: what is missing fails them. They run as whoever starts
// them, and leave the machine's own nginx, sshd and DOKKU_ROOT alone.

// A step of a deploy at which a test can make it wait.
type step string

const (
	beforeCommit step = "check"       // everything has been started, nothing accepted
	atCommit     step = "transaction" // pre-receive has accepted, git has locked the ref
	afterCommit  step = "reload"      // the ref has moved, or the release is current; the old version serves
	afterSwitch  step = "reloaded"    // nginx has been told, and nobody knows yet
)

// stoppable wraps a command of nginx so that hold can stop it, before and after.
func (l *lab) stoppable(before step, command []string, after step) []string {
	path := filepath.Join(l.root, ".dokku", string(before))
	l.script(path, before, strings.Join(command, " ")+" || exit", after)
	return []string{"sh", path}
}

// script writes a shell script of one line that hold can stop before and after it.
func (l *lab) script(path string, before step, line string, after step) {
	wait := func(at step) string {
		return fmt.Sprintf("while [ -e %[1]s ]; do : > %[1]s.reached; sleep 0.02; done\n", l.holdFile(at))
	}
	must(l.t, os.WriteFile(path, []byte("#!/bin/sh\n"+wait(before)+line+"\n"+wait(after)), 0o755))
}

func (l *lab) holdFile(at step) string { return filepath.Join(l.root, ".dokku", "hold-"+string(at)) }

// hold makes whatever comes to the step wait there, for less than the ten
// seconds after which it would give up. arrived waits until something does.
func (l *lab) hold(at step) (arrived, release func()) {
	l.t.Helper()
	path := l.holdFile(at)
	os.Remove(path + ".reached")
	must(l.t, os.WriteFile(path, nil, 0o600))
	release = func() { os.Remove(path) }
	l.t.Cleanup(release)
	return func() {
		l.t.Helper()
		waitFor(l.t, "something arrives at the step "+string(at), func() bool { return exists(path + ".reached") })
	}, release
}
