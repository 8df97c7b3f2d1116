package scale

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mostProblems limits the printed problems of a file. A file of another kind would have
// thousands.
const mostProblems = 20

// Problem is an error or a warning about a line of a control file.
type Problem struct {
	File    string // "DOKKU_SCALE"; empty: it is about no single file
	Line    int    // 1-based; 0 for the whole file
	Text    string // the line as it was written, trimmed; may be empty
	Message string // the error and the correct form
}

// String returns one line: DOKKU_SCALE:3: "web: 1": did you mean web=1?
func (p Problem) String() string {
	if p.File == "" {
		return p.Message
	}
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Text != "" {
		b.WriteString(": " + Quote(p.Text))
	}
	return b.String() + ": " + p.Message
}

// Problems is the error of a file, or of several: for each of them all its problems in the
// order of the lines.
type Problems []Problem

// Error returns one line for each problem, up to a limit for each file.
func (ps Problems) Error() string {
	var lines []string
	count := map[string]int{}
	for i, p := range ps {
		if count[p.File]++; count[p.File] <= mostProblems {
			lines = append(lines, p.String())
		}
		if last := i == len(ps)-1 || ps[i+1].File != p.File; last && count[p.File] > mostProblems {
			lines = append(lines, fmt.Sprintf("%s: and %d more like these", p.File, count[p.File]-mostProblems))
		}
	}
	return strings.Join(lines, "\n")
}

// Joined returns the Problems of all errors, in their order; nil for none. An error of
// another kind becomes a problem of no file.
func Joined(errs ...error) error {
	var all Problems
	for _, err := range errs {
		var ps Problems
		switch {
		case err == nil:
		case errors.As(err, &ps):
			all = append(all, ps...)
		default:
			all = append(all, Problem{Message: err.Error()})
		}
	}
	return all.err()
}

// err returns nil for no problems, never a non-nil error around a nil slice.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Quote returns text of a file for a message: cut to a readable length, in double quotes,
// with control characters escaped.
func Quote(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	if strings.ContainsRune(s, '"') && !strings.ContainsRune(s, '`') && strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.QuoteToGraphic(s)
}
