package hooks

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// splitWords splits a command line into words as a POSIX shell does, for plain words,
// quotes and backslashes. It expands nothing: syntax that a shell would expand or run
// is an error, so that a line never means something other than its writer intended.
func splitWords(line string) ([]string, error) {
	if !utf8.ValidString(line) {
		return nil, fmt.Errorf("cannot read the command: it is not valid UTF-8")
	}
	l := &lexer{rest: line}
	var words []string
	for {
		l.rest = strings.TrimLeft(l.rest, " \t")
		if l.rest == "" {
			return words, nil
		}
		word, err := l.word()
		if err != nil {
			return nil, fmt.Errorf("cannot read the command: %w", err)
		}
		words = append(words, word)
	}
}

// A lexer reads words off the front of rest.
type lexer struct{ rest string }

// word reads up to the next blank outside of quotes.
func (l *lexer) word() (string, error) {
	var b strings.Builder
	for first := true; l.rest != ""; first = false {
		r, n := utf8.DecodeRuneInString(l.rest)
		var err error
		switch {
		case r == ' ' || r == '\t':
			return b.String(), nil
		case r == '\'':
			err = l.single(&b)
		case r == '"':
			err = l.double(&b)
		case r == '\\':
			err = l.escaped(&b)
		case strings.ContainsRune("|&;<>()$`\n", r) || r == '#' && first:
			return "", fmt.Errorf("%q has a meaning only in a shell: put the word in 'single quotes', and over ssh in double quotes around them", r)
		case control(r):
			return "", fmt.Errorf("it contains the control character %q", r)
		default:
			b.WriteRune(r)
			l.rest = l.rest[n:]
		}
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// single reads '...', in which every character is literal.
func (l *lexer) single(b *strings.Builder) error {
	text, rest, ok := strings.Cut(l.rest[1:], "'")
	if !ok {
		return fmt.Errorf("the closing ' is missing")
	}
	l.rest = rest
	return quoted(b, text)
}

// double reads "...", in which a shell would expand $ and `.
func (l *lexer) double(b *strings.Builder) error {
	plain := false // after a backslash
	for i, r := range l.rest[1:] {
		switch {
		case control(r) || plain && r == '\n':
			return fmt.Errorf("it contains the control character %q", r)
		case plain:
			if !strings.ContainsRune("$`\"\\", r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
			plain = false
		case r == '\\':
			plain = true
		case r == '"':
			l.rest = l.rest[1+i+1:]
			return nil
		case r == '$' || r == '`':
			return fmt.Errorf("%q has a meaning only in a shell: put the word in 'single quotes', and over ssh in double quotes around them", r)
		default:
			b.WriteRune(r)
		}
	}
	return fmt.Errorf("the closing \" is missing")
}

// escaped reads a backslash and the literal character after it.
func (l *lexer) escaped(b *strings.Builder) error {
	r, n := utf8.DecodeRuneInString(l.rest[1:])
	if n == 0 || r == '\n' {
		return fmt.Errorf("it ends with a backslash")
	}
	l.rest = l.rest[1+n:]
	return quoted(b, string(r))
}

// quoted writes quoted text, which may contain line ends.
func quoted(b *strings.Builder, text string) error {
	for _, r := range text {
		if control(r) {
			return fmt.Errorf("it contains the control character %q", r)
		}
	}
	b.WriteString(text)
	return nil
}

// control reports whether r would act on a terminal or end a string in C.
func control(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || 0x80 <= r && r <= 0x9f
}
