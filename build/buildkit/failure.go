package buildkit

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Error is a build that the engine ended: a step failed, or the Dockerfile
// cannot be used.
type Error struct {
	Commit string // short id
	// Step is the engine's name of the step that failed; "" when no step did.
	Step string
	// ExitCode is that of the step's command; 0 when it is not known.
	ExitCode int
	// Reason is the engine's message, without its internals.
	Reason string
	// Output are the step's last lines, with the pusher's bytes in them.
	Output []string
}

// Error says what failed and what helps, in one line.
func (e *Error) Error() string {
	if e.Step == "" {
		return fmt.Sprintf("cannot build %s: %s", e.Commit, e.Reason)
	}
	if e.ExitCode == 0 {
		return fmt.Sprintf("cannot build %s: %s: %s", e.Commit, e.Step, e.Reason)
	}
	what, mend := "ended with exit code "+strconv.Itoa(e.ExitCode), "correct the command or the files that it uses and push again"
	switch e.ExitCode {
	case 126:
		what, mend = "could not be executed (exit code 126)", "make its file executable (git update-index --chmod=+x FILE) and push again"
	case 127:
		what, mend = "was not found (exit code 127)", "install the command in an earlier step and push again"
	case 137:
		what, mend = "was killed (exit code 137), most likely because memory ran out", "let the step need less memory, or give the host more"
	}
	return fmt.Sprintf("cannot build %s: %s %s; %s", e.Commit, e.Step, what, mend)
}

var exitCode = regexp.MustCompile(`exit code: (\d+)`)

// internals are the engine's words around a message that say nothing to a
// pusher.
var internals = []string{
	"failed to solve with frontend dockerfile.v0: ", "failed to solve: ",
	"failed to create LLB definition: ", "failed to build LLB: ",
	"rpc error: code = Unknown desc = ", "rpc error: code = InvalidArgument desc = ",
	"rpc error: code = NotFound desc = ", "Error response from daemon: ",
}

// failure makes an Error of the engine's message and of what the steps said.
func (p *printer) failure(commit, message string) *Error {
	e := &Error{Commit: commit, Reason: strings.TrimSpace(message)}
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
			e.in(s, s.err)
		case !s.first.IsZero() && !s.ended:
			unfinished = s
		}
	}
	// The engine may end the answer before it has told of the step's end.
	if e.Step == "" && exitCode.MatchString(message) {
		if unfinished == nil {
			unfinished = &step{name: failedCommand(message)}
		}
		e.in(unfinished, message)
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

// in says which step failed, and how.
func (e *Error) in(s *step, message string) {
	e.Step, e.Output = s.name, s.tail
	if m := exitCode.FindStringSubmatch(message); m != nil {
		e.ExitCode, _ = strconv.Atoi(m[1])
	}
}
