package buildkit

import (
	"regexp"
	"strconv"
	"strings"

	"dokku/build"
)

var exitCode = regexp.MustCompile(`exit code: (\d+)`)

// internals are phrases of the engine around a message that tell a pusher nothing.
var internals = []string{
	"failed to solve with frontend dockerfile.v0: ", "failed to solve: ",
	"failed to create LLB definition: ", "failed to build LLB: ",
	"rpc error: code = Unknown desc = ", "rpc error: code = InvalidArgument desc = ",
	"rpc error: code = NotFound desc = ", "Error response from daemon: ",
}

// failure makes an Error of the engine's message and of the output of the steps.
func (p *printer) failure(commit, message string) *build.Error {
	e := &build.Error{Commit: commit, Reason: strings.TrimSpace(message)}
	for again := true; again; {
		again = false
		for _, s := range internals {
			if rest, ok := strings.CutPrefix(e.Reason, s); ok {
				e.Reason, again = rest, true
			}
		}
	}
	if strings.Contains(e.Reason, "401 Unauthorized") || strings.Contains(e.Reason, "pull access denied") {
		e.Reason += "; check the image's name, or run docker login for its registry as the user that owns the apps"
	}
	var unfinished *step
	for _, s := range p.order {
		switch {
		case !s.visible:
		case s.err != "" && !canceled(s.err):
			failedIn(e, s, s.err)
		case !s.first.IsZero() && !s.ended:
			unfinished = s
		}
	}
	// The engine may end the answer before it has told of the step's end.
	if e.Step == "" && exitCode.MatchString(message) {
		if unfinished == nil {
			unfinished = &step{name: failedCommand(message)}
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

// failedIn notes in e which step failed, and how.
func failedIn(e *build.Error, s *step, message string) {
	e.Step, e.Output = s.name, s.tail
	if m := exitCode.FindStringSubmatch(message); m != nil {
		e.ExitCode, _ = strconv.Atoi(m[1])
	}
}
