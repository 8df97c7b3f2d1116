package event

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable removes escape sequences and control characters except the tab. Invalid
// UTF-8 becomes U+FFFD. Characters that are not seen, or show others in another order, are
// escaped: \u202e.
func Printable(s string) string { return filtered(s, func(string) bool { return false }) }

// PrintableLines is Printable for each line of a text, which may be of several: a line that
// was drawn over itself is what stays of it, and one that breaks off inside an escape
// sequence takes no other line with it.
func PrintableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Printable(Drawn(line))
	}
	return strings.Join(lines, "\n")
}

// Styled is Printable for a reader who sees colours: it keeps the sequences that change
// the style of the text, and ends the style at the end of the line. It keeps none that
// moves the cursor, erases, or hides or blinks text.
func Styled(s string) string {
	kept := false
	s = filtered(s, func(sequence string) bool {
		ok := styles(sequence)
		kept = kept || ok
		return ok
	})
	if kept && !strings.HasSuffix(s, resetStyle) {
		s += resetStyle
	}
	return s
}

// filtered keeps the printable characters of s and the escape sequences that keep accepts.
func filtered(s string, keep func(sequence string) bool) string {
	clean := utf8.ValidString(s)
	for i := 0; clean && i < len(s); i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f || s[i] == '\t'
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if n := escape(s[i:]); n > 0 {
			if keep(s[i : i+n]) {
				b.WriteString(s[i : i+n])
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		case r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether a character is not seen, or makes a reader see others in another
// order (Unicode Technical Report 36, 3.6). The joiners stay: scripts and emoji need them.
func hidden(r rune) bool {
	return r == 0x180e || r == 0x200b || r == 0x2028 || r == 0x2029 || r >= 0x2060 && r <= 0x2064 || r == 0xfeff || unicode.Is(unicode.Bidi_Control, r)
}

// PrintableJSON escapes in JSON what Printable would not let through. Its meaning stays.
func PrintableJSON(data []byte) []byte {
	b := make([]byte, 0, len(data))
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r >= 0x7f && r <= 0x9f || hidden(r) {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = append(b, data[:n]...)
		}
		data = data[n:]
	}
	return b
}

// sgr is an ECMA-48 sequence that selects the style of the text that follows.
var sgr = regexp.MustCompile(`^\x1b\[([0-9;:]{0,40})m$`)

// styles reports whether a sequence selects a style in which the text can be read.
func styles(sequence string) bool {
	m := sgr.FindStringSubmatch(sequence)
	if m == nil {
		return false
	}
	codes := strings.Split(m[1], ";")
	for i := 0; i < len(codes); i++ {
		switch strings.TrimLeft(codes[i], "0") {
		case "5", "6", "8": // blinking, hidden
			return false
		case "38", "48", "58": // a colour follows: "5;N" or "2;R;G;B"
			if i+1 < len(codes) && codes[i+1] == "2" {
				i += 4
			} else {
				i += 2
			}
		}
	}
	return true
}

// restart is an escape sequence after which a line is drawn again: one that goes to its
// first column, or erases it.
var restart = regexp.MustCompile(`^\x1b\[(1?G|[12]K)$`)

// Drawn returns what stays of a line that was drawn over itself, as progress bars and
// spinners are: the last text that is not blank. Other escape sequences stay.
func Drawn(line string) string {
	if !strings.ContainsAny(line, "\r\b\x1b") {
		return line
	}
	last, now := "", []byte{}
	fixed := 0 // a backspace erases nothing before it
	begin := func() {
		if strings.TrimSpace(Printable(string(now))) != "" {
			last = string(now)
		}
		now, fixed = now[:0], 0
	}
	for i, n := 0, 0; i < len(line); i += n {
		n = escape(line[i:])
		switch {
		case line[i] == '\r', n > 0 && restart.MatchString(line[i:i+n]):
			begin()
			n = max(n, 1)
		case n > 0:
			now = append(now, line[i:i+n]...)
			fixed = len(now)
		case line[i] == '\b':
			n = 1
			_, before := utf8.DecodeLastRune(now[fixed:])
			now = now[:len(now)-before]
		default:
			n = 1
			now = append(now, line[i])
		}
	}
	begin()
	return last
}

// escape returns the length of the ECMA-48 escape sequence that s starts with.
func escape(s string) int {
	if s == "" || s[0] != 0x1b {
		return 0
	}
	if len(s) == 1 || s[1] < ' ' || s[1] > '~' {
		return 1
	}
	switch s[1] {
	case '[': // CSI: parameters, then one final byte
		i := 2
		for i < len(s) && s[i] >= 0x20 && s[i] <= 0x3f {
			i++
		}
		if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
			i++
		}
		return i
	case ']', 'P', '^', '_', 'X': // strings up to BEL or ST
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}
