package build

import (
	"bytes"
	"slices"
	"strings"
)

// MaxLine is the length in bytes at which a line of output is broken.
const MaxLine = 4096

// Lines cuts one stream of output into lines.
type Lines struct{ partial []byte }

// Add calls line for every line that b completes, without its end. Of a line that was
// drawn several times, such as a progress bar, only the last state counts.
func (l *Lines) Add(b []byte, line func(string)) {
	b = append(l.partial, b...)
	for {
		b = redrawn(b)
		end := bytes.IndexByte(b, '\n')
		if end < 0 && len(b) < MaxLine {
			break
		}
		rest := end + 1
		if end < 0 || end > MaxLine {
			end, rest = MaxLine, MaxLine
		}
		line(lastState(string(b[:end])))
		b = b[rest:]
	}
	l.partial = slices.Clone(b)
}

// End calls line for what is left at the end of the stream.
func (l *Lines) End(line func(string)) {
	if len(l.partial) > 0 {
		line(lastState(string(l.partial)))
	}
	l.partial = nil
}

// redrawn drops the former states of a progress bar that are longer than a line.
func redrawn(b []byte) []byte {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		end = len(b)
	}
	if end < MaxLine {
		return b
	}
	return b[bytes.LastIndexByte(bytes.TrimRight(b[:end], "\r"), '\r')+1:]
}

// lastState returns what a line shows after all of its carriage returns.
func lastState(text string) string {
	text = strings.TrimRight(text, "\r")
	return text[strings.LastIndexByte(text, '\r')+1:]
}
