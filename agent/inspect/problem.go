package inspect

import (
	"errors"
	"path"
	"regexp"

	"dokku/build"
	"dokku/scale"
)

// Severity is the weight of a problem.
type Severity string

// The severities. A push stops at an error.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is a mistake in a revision. Its String is what a push prints.
type Problem struct {
	// File and Line say where it is, as far as that is known.
	scale.Problem
	Severity Severity
	// Setting: the files may be valid with other settings of the app or of the server.
	Setting bool
	// whole: Message is the whole text, and names the file itself.
	whole bool
}

// String returns the problem in one line.
func (p Problem) String() string {
	if p.whole {
		return p.Message
	}
	return p.Problem.String()
}

// Said returns the problem without its file and line, for readers that have them.
func (p Problem) Said() string {
	if p.Text == "" {
		return p.Message
	}
	return scale.Quote(p.Text) + ": " + p.Message
}

// fixes matches the beginning of the fix in a message. Messages end with it.
var fixes = regexp.MustCompile(`(^|[:;,.] )(did you mean|write|use|remove|add|keep|lower|put|rename|join|save|set|let|leave|make|resolve|` +
	`correct|commit|name|give|merge|move|push|run|escape|choose|allow|install|to build|to deploy|to name|dokku) `)

// Fix returns what to do about the problem, which is the end of its message; "" if the
// message does not say.
func (p Problem) Fix() string {
	at := fixes.FindStringSubmatchIndex(p.Message)
	if at == nil {
		return ""
	}
	return p.Message[at[4]:]
}

// problemOf turns an error of a builder, whose paths begin at dir, or of a reader into a
// Problem.
func problemOf(err error, dir string) Problem {
	p := Problem{Problem: scale.Problem{Message: err.Error()}, Severity: Error, whole: true}
	var f *build.FileError
	if errors.As(err, &f) {
		p.File, p.Line = path.Join(dir, f.File), f.Line
	}
	return p
}

// problems turns an error of the control files into Problems.
func problems(err error) []Problem {
	var list []Problem
	var all scale.Problems
	switch {
	case err == nil:
	case errors.As(err, &all):
		list = of(Error, all)
	default:
		list = []Problem{problemOf(err, "")}
	}
	return list
}

// of returns the problems with a severity.
func of(s Severity, all []scale.Problem) (list []Problem) {
	for _, p := range all {
		list = append(list, Problem{Problem: p, Severity: s})
	}
	return list
}
