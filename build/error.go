package build

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is a build that failed by itself: a step failed, or a file that the builder
// needs, such as the Dockerfile, cannot be used.
type Error struct {
	Commit string // short id
	// Step is the name of the step that failed, such as "[3/3] RUN npm ci"; "" when no
	// step did.
	Step string
	// ExitCode is that of the step's command; 0 when it is not known.
	ExitCode int
	// Reason is the builder's message, without its internals.
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
		return fmt.Sprintf("cannot build %s: %s: %s", e.Commit, e.label(), e.Reason)
	}
	what, fix := "ended with exit code "+strconv.Itoa(e.ExitCode), "correct the command or the files that it uses and push again"
	switch e.ExitCode {
	case 126:
		what, fix = "could not be executed (exit code 126)", "make its file executable (git update-index --chmod=+x FILE) and push again"
	case 127:
		what, fix = "was not found (exit code 127)", "install the command in an earlier step and push again"
	case 137:
		what, fix = "was killed (exit code 137), most likely because memory ran out", "let the step need less memory, or give the host more"
	}
	if slices.ContainsFunc(e.Output, diskIsFull) {
		fix = "the server's disk is full: docker builder prune there frees space"
	}
	return fmt.Sprintf("cannot build %s: %s %s; %s", e.Commit, e.label(), what, fix)
}

// FileError is a mistake in a file of the revision, which a builder found.
type FileError struct {
	File string // its path in the folder that is built
	Line int    // 1-based; 0: the whole file
	Err  error
}

// Error is that of Err, which names the file.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

// diskIsFull reports whether a line is what programs print of the error ENOSPC.
func diskIsFull(line string) bool {
	return strings.Contains(strings.ToLower(line), "no space left on device")
}

// label is the number and the instruction of the step: its name can have a kilobyte,
// and the build's progress has it.
func (e *Error) label() string {
	if number, command, ok := strings.Cut(e.Step, "] "); ok && strings.HasPrefix(number, "[") {
		instruction, _, _ := strings.Cut(command, " ")
		return "step " + number + "] " + instruction
	}
	if r := []rune(e.Step); len(r) > maxLabel {
		return string(r[:maxLabel]) + "..."
	}
	return e.Step
}

// maxLabel is the length in characters at which the name of a step without a number
// is cut.
const maxLabel = 80
