package buildkit

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dokku/build"
	"dokku/build/source"
)

var exitCode = regexp.MustCompile(`exit code: (\d+)`)

// internals are phrases of the engine around a message that tell a pusher nothing.
var internals = []string{
	"failed to solve with frontend dockerfile.v0: ", "failed to solve: ",
	"failed to create LLB definition: ", "failed to build LLB: ",
	"rpc error: code = Unknown desc = ", "rpc error: code = InvalidArgument desc = ",
	"rpc error: code = NotFound desc = ", "Error response from daemon: ",
}

// failure makes an Error of the engine's message and of the output of the steps. It
// prints the end of a failed step that the engine did not tell.
func (p *printer) failure(commit, message string, now time.Time) *build.Error {
	e := &build.Error{Commit: commit, Reason: strings.TrimSpace(message)}
	for again := true; again; {
		again = false
		for _, s := range internals {
			if rest, ok := strings.CutPrefix(e.Reason, s); ok {
				e.Reason, again = rest, true
			}
		}
	}
	e.Reason = advise(e.Reason)
	var unfinished *step
	for _, s := range p.order {
		switch {
		case !s.visible:
		case s.err != "" && !canceled(s.err):
			failedIn(e, s, s.err)
		case s.running:
			unfinished = s
		}
	}
	// The engine may end the answer before it has told of the step's end.
	if e.Step == "" && exitCode.MatchString(message) {
		if unfinished == nil {
			unfinished = &step{name: failedCommand(message)}
		} else {
			p.failed(unfinished, "failed", now)
		}
		failedIn(e, unfinished, message)
	}
	return e
}

// commandFailed are the forms in which engines name a command that failed.
var commandFailed = regexp.MustCompile(`executor failed running \[(?:/bin/sh -c )?(.*)\]: exit code|process "(?:/bin/sh -c )?(.*)" did not complete`)

// failedCommand names the step that a message is about, as far as it does; "" if
// it does not.
func failedCommand(message string) string {
	m := commandFailed.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	return "RUN " + m[1] + m[2]
}

// notFound is how engines say that a file to copy does not exist. The second form is that of a file in a
// folder which an earlier build had.
var notFound = regexp.MustCompile(`failed to (?:compute|calculate) [^"]*"/([^"]+)":? not found|lstat /\S*/buildkit-mount\d+/([^:]+): no such file`)

// explainMissing replaces the reason of a step that needs a file which is not there.
func explainMissing(e *build.Error, t *source.Tree, dockerfile, app string) {
	m := notFound.FindStringSubmatch(e.Reason)
	if m == nil {
		return
	}
	name := m[1] + m[2]
	if from := fromOther.FindStringSubmatch(e.Step); from != nil {
		e.Reason = fmt.Sprintf("%s has no /%s; correct the path, or make the file there", from[1], name)
		return
	}
	if t.Has(name) {
		ignore := ".dockerignore"
		if t.Has(dockerfile + ignore) {
			ignore = dockerfile + ignore
		}
		e.Reason = fmt.Sprintf("%s is committed, but %s leaves it out; add the line !%s at its end and push again", name, ignore, name)
		return
	}
	if name == ".git" || strings.HasPrefix(name, ".git/") {
		e.Reason = fmt.Sprintf("%s is not there: a build has no .git folder, unless that is set: dokku git:set %s keep-git-dir true", name, app)
		return
	}
	e.Reason = fmt.Sprintf("%s is not in the repository; is it committed? "+
		"(.gitignore may leave it out: git add -f %s; .dockerignore does not)", name, name)
	if other := t.OtherCase(name); other != "" {
		e.Reason = fmt.Sprintf("%s is not in the repository, but %s is; correct the name and push again", name, other)
	}
}

// fromOther matches a step that takes files from another stage or image.
var fromOther = regexp.MustCompile(`[ ,-]from=([^ ,]+)`)

// failedIn notes in e which step failed, and how.
func failedIn(e *build.Error, s *step, message string) {
	e.Step, e.Output = s.name, s.tail
	if m := exitCode.FindStringSubmatch(message); m != nil {
		e.ExitCode, _ = strconv.Atoi(m[1])
	}
}
