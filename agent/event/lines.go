package event

import (
	"bytes"
	"strings"
)

// Lines cuts what is written to it into lines and calls Line with each, without
// its end ("\n" or "\r\n"). A line of Longest bytes without an end is cut there;
// 0 means 64 KiB. It is not safe for concurrent use.
type Lines struct {
	Line    func(string)
	Longest int
	rest    []byte
}

// Write calls Line for each complete line. It never fails.
func (w *Lines) Write(p []byte) (int, error) {
	longest := w.Longest
	if longest == 0 {
		longest = 64 << 10
	}
	w.rest = append(w.rest, p...)
	for {
		w.rest = redrawn(w.rest, longest)
		n := bytes.IndexByte(w.rest[:min(len(w.rest), longest)], '\n')
		switch {
		case n >= 0:
			w.Line(strings.TrimSuffix(string(w.rest[:n]), "\r"))
			w.rest = w.rest[n+1:]
		case len(w.rest) >= longest:
			w.Line(string(w.rest[:longest]))
			w.rest = w.rest[longest:]
		default:
			return len(p), nil
		}
	}
}

// redrawn drops the former states of a progress bar from the beginning of b, if its line
// is longer than longest: it would be cut into many lines.
func redrawn(b []byte, longest int) []byte {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		end = len(b)
	}
	if end < longest {
		return b
	}
	return b[bytes.LastIndexByte(bytes.TrimRight(b[:end], "\r"), '\r')+1:]
}

// Flush passes on a last line that has no end.
func (w *Lines) Flush() {
	if len(w.rest) > 0 {
		w.Line(string(w.rest))
		w.rest = nil
	}
}

// OneLine returns user input as one printable line of at most 80 characters.
func OneLine(s string) string {
	s = Printable(strings.ReplaceAll(s, "\n", " "))
	if runes := []rune(s); len(runes) > 80 {
		s = string(runes[:80]) + "..."
	}
	return s
}
