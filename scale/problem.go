package scale

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mostProblems is how many problems of a file are printed; a file that is
// something else altogether would have thousands.
const mostProblems = 20

// Problem is a line of a control file that cannot be accepted, or that a
// warning is about.
type Problem struct {
	File    string // "DOKKU_SCALE"
	Line    int    // 1-based; 0 where the whole file is meant
	Text    string // the line as it was written, trimmed; may be empty
	Message string // what is wrong with it and what to write instead
}

// String returns one line: DOKKU_SCALE:3: "web: 1": did you mean web=1?
func (p Problem) String() string {
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

// Problems is the error of a file: everything that is wrong with it, in the
// order of the lines.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	var lines []string
	for i, p := range ps {
		if i == mostProblems {
			lines = append(lines, fmt.Sprintf("%s: and %d more like these", p.File, len(ps)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// err returns nil for no problems, never a non-nil error around a nil slice.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Quote returns what a file says as it may be shown: cut to a readable length,
// in double quotes, control characters escaped.
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
