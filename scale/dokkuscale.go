package scale

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const dokkuScaleName = "DOKKU_SCALE"

// DefaultMax is the default limit for the processes of one type of an app.
const DefaultMax = 100

// Count is a file's number of processes of a type.
type Count struct {
	Type  string
	Count int
	Line  int // 1-based
}

// DokkuScale is a DOKKU_SCALE file in the order of its lines; nil without the file, or if
// it is empty.
type DokkuScale []Count

// Lookup returns the count of a type.
func (d DokkuScale) Lookup(typ string) (Count, bool) {
	for _, c := range d {
		if c.Type == typ {
			return c, true
		}
	}
	return Count{}, false
}

// Counts returns the counts by type; nil when the file is empty.
func (d DokkuScale) Counts() map[string]int {
	if len(d) == 0 {
		return nil
	}
	counts := make(map[string]int, len(d))
	for _, c := range d {
		counts[c.Type] = c.Count
	}
	return counts
}

// ParseDokkuScale reads lines of the form "type=count" (Dokku 0.3.26). max is the
// server's limit for one type; 0 means DefaultMax. The error is a Problems with all bad
// lines. Resolve finds types that the Procfile does not have.
func ParseDokkuScale(src []byte, max int) (DokkuScale, error) {
	lines, err := Lines(dokkuScaleName, src)
	if err != nil {
		return nil, err
	}
	var scale DokkuScale
	first := map[string]Count{}
	var bad Problems
	for _, l := range lines {
		text, _, _ := strings.Cut(l.Text, "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		typ, n, message := parseScaleLine(text, max)
		if message == "" {
			if c, ok := first[typ]; !ok {
				first[typ] = Count{typ, n, l.Number}
				scale = append(scale, first[typ])
			} else if c.Count != n {
				message = fmt.Sprintf("line %d sets %s to %d: keep one of the two lines", c.Line, typ, c.Count)
			}
		}
		if message != "" {
			bad = append(bad, Problem{dokkuScaleName, l.Number, text, message})
		}
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return scale, nil
}

// mostNamed is how many process types a message names.
const mostNamed = 20

// ExplainScale adds the app's types to the problems of a DOKKU_SCALE file: a line such as
// "export:80" whose type the Procfile does not have is no count that was meant.
func (p Procfile) ExplainScale(err error) error {
	var problems Problems
	if !errors.As(err, &problems) {
		return err
	}
	problems = slices.Clone(problems)
	types := p.Types()
	known, near, list := setOf(types), newLetters(types), strings.Join(types[:min(len(types), mostNamed)], ", ")
	if len(types) > mostNamed {
		list += ", ..."
	}
	for i, problem := range problems {
		m := colonCount.FindStringSubmatch(problem.Text)
		if m == nil || known[m[1]] {
			continue
		}
		problems[i].Message = fmt.Sprintf("a line is type=count, and there is no process type %s (there is %s)", m[1], list)
		if similar := near.similar(m[1]); similar != "" {
			problems[i].Message = fmt.Sprintf("did you mean %s=%s?", similar, m[2])
		}
	}
	return problems
}

var (
	// colonCount matches lines in the form of a Procfile: "web: 1", "web 1".
	colonCount = regexp.MustCompile(`^([A-Za-z0-9_-]+)\s*[:\s]\s*([0-9]+)$`)
	// severalCounts matches two or more assignments on one line.
	severalCounts = regexp.MustCompile(`^[A-Za-z0-9_-]+=[0-9]+([\s,;]+[A-Za-z0-9_-]+=[0-9]+)+$`)
)

// parseScaleLine reads one line without its comment; message describes the error, if any.
func parseScaleLine(text string, max int) (typ string, n int, message string) {
	if m := colonCount.FindStringSubmatch(text); m != nil {
		return "", 0, fmt.Sprintf("did you mean %s=%s?", m[1], m[2])
	}
	if severalCounts.MatchString(text) {
		parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,;", r) })
		return "", 0, "write only one type per line: put " + strings.Join(parts, " and ") + " on lines of their own"
	}
	typ, count, ok := strings.Cut(text, "=")
	typ, count = strings.TrimSpace(typ), strings.TrimSpace(count)
	if message := badType(typ); message != "" {
		return "", 0, message + "; a line is type=count"
	}
	if !ok || count == "" {
		return "", 0, fmt.Sprintf("%s has no count: write %[1]s=1, or %[1]s=0 to run none", typ)
	}
	n, message = parseCount(typ, count, max)
	return typ, n, message
}

// parseCount reads a count of decimal digits only: 08 is 8, and signs and arithmetic are
// errors.
func parseCount(typ, s string, max int) (n int, message string) {
	if max <= 0 {
		max = DefaultMax
	}
	if strings.Trim(s, "0123456789") != "" {
		message = fmt.Sprintf("%s is not a count: write a whole number such as %s=1", Quote(s), typ)
		if bare := strings.Trim(s, `"'`); bare != "" && strings.Trim(bare, "0123456789") == "" {
			message = fmt.Sprintf("did you mean %s=%s?", typ, bare)
		}
		return 0, message
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > max {
		return 0, fmt.Sprintf("%s of %s is more than %d, this server's limit for one type: "+
			"lower it, or ask the server's admin to raise the limit", strings.TrimLeft(s, "0"), typ, max)
	}
	return n, ""
}
