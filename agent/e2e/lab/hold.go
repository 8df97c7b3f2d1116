package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Step is a moment of a deploy at which a test can hold it.
type Step string

const (
	BeforeCommit Step = "check"       // all processes run, nothing is accepted
	AtCommit     Step = "transaction" // pre-receive has accepted, git has locked the ref
	AfterCommit  Step = "reload"      // the ref has moved, or the release is current; the old version serves
	AfterSwitch  Step = "reloaded"    // nginx has the new configuration, dokku has not noticed yet
)

// stoppable wraps a command of nginx so that hold can stop it, before and after.
func (l *Lab) stoppable(before Step, command []string, after Step) []string {
	path := filepath.Join(l.Root, ".dokku", string(before))
	l.Script(path, before, strings.Join(command, " ")+" || exit", after)
	return []string{"sh", path}
}

// Script writes a shell script of one line that Hold can stop before and after the line.
func (l *Lab) Script(path string, before Step, line string, after Step) {
	wait := func(at Step) string {
		return fmt.Sprintf("while [ -e %[1]s ]; do : > %[1]s.reached; sleep 0.02; done\n", l.holdFile(at))
	}
	Must(l.T, os.WriteFile(path, []byte("#!/bin/sh\n"+wait(before)+line+"\n"+wait(after)), 0o755))
}

func (l *Lab) holdFile(at Step) string { return filepath.Join(l.Root, ".dokku", "hold-"+string(at)) }

// Hold stops the next deploy at a step. arrived waits until a process is there, release
// lets it continue. Release within 30 seconds: the commands of nginx time out then.
func (l *Lab) Hold(at Step) (arrived, release func()) {
	l.T.Helper()
	path := l.holdFile(at)
	os.Remove(path + ".reached")
	Must(l.T, os.WriteFile(path, nil, 0o600))
	release = func() { os.Remove(path) }
	l.T.Cleanup(release)
	return func() {
		l.T.Helper()
		WaitFor(l.T, "something arrives at the step "+string(at), func() bool { return Exists(path + ".reached") })
	}, release
}
