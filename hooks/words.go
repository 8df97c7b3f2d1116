package hooks

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// splitWords splits a command line into words as Dokku does, which leaves that to xargs:
// blanks and line ends separate words, quotes of both kinds keep all characters between
// them, and outside of quotes a backslash keeps the next one. Nothing is expanded, and no
// other character has a meaning. Beyond xargs, a quoted word may have line ends.
func splitWords(line string) ([]string, error) {
	if !utf8.ValidString(line) {
		return nil, fmt.Errorf("cannot read the command: it is not valid UTF-8")
	}
	for _, r := range line {
		if control(r) {
			return nil, fmt.Errorf("cannot read the command: it contains the control character %q", r)
		}
	}
	// A carriage return ends no word, as in xargs, but none begins with one.
	const blanks, before = " \t\n", " \t\n\r"
	var words []string
	for line = strings.TrimLeft(line, before); line != ""; line = strings.TrimLeft(line, before) {
		word, rest, err := cutWord(line, blanks)
		if err != nil {
			return nil, fmt.Errorf("cannot read the command: %w", err)
		}
		words, line = append(words, word), rest
	}
	return words, nil
}

// cutWord cuts the word off the front of line.
func cutWord(line, blanks string) (word, rest string, err error) {
	var b strings.Builder
	for line != "" && !strings.ContainsRune(blanks, rune(line[0])) {
		switch c := line[0]; c {
		case '\'', '"':
			text, after, closed := strings.Cut(line[1:], string(c))
			if !closed {
				return "", "", fmt.Errorf("the closing %c is missing", c)
			}
			b.WriteString(text)
			line = after
		case '\\':
			if len(line) == 1 {
				return "", "", fmt.Errorf("it ends with a backslash")
			}
			_, n := utf8.DecodeRuneInString(line[1:])
			b.WriteString(line[1 : 1+n])
			line = line[1+n:]
		default:
			b.WriteByte(c)
			line = line[1:]
		}
	}
	return b.String(), line, nil
}

// control reports whether r would act on a terminal or end a string in C.
func control(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || 0x80 <= r && r <= 0x9f
}
