package scale

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Line is a line of a control file.
type Line struct {
	Number int    // 1-based
	Text   string // without white space around it
}

// Control files are written by hand. Whatever is larger is something else, or
// meant to keep the server busy.
const (
	maxLines = 64 << 10 // bytes, of a file of lines
	maxJSON  = 1 << 20  // bytes
)

// Lines splits a control file. It accepts CRLF, lone CR, a UTF-8 byte order mark
// and a last line without a newline; blank lines are left out. The error is a
// Problems: more than 64 KiB, or text that is not UTF-8, UTF-16 above all
// (PowerShell's > writes it).
func Lines(file string, src []byte) ([]Line, error) {
	text, err := plain(file, src, maxLines)
	if err != nil {
		return nil, err
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	var lines []Line
	for i, s := range strings.Split(string(text), "\n") {
		if s = strings.TrimSpace(s); s != "" {
			lines = append(lines, Line{i + 1, s})
		}
	}
	return lines, nil
}

// plain returns src as UTF-8 without a byte order mark.
func plain(file string, src []byte, most int) ([]byte, error) {
	whole := func(message string) error { return Problems{{File: file, Message: message}} }
	if len(src) > most {
		return nil, whole(fmt.Sprintf("the file has %d bytes; at most %d are read: is it the right file?", len(src), most))
	}
	if bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) {
		return nil, whole("the file is UTF-16: save it as UTF-8 (in PowerShell: Set-Content -Encoding utf8)")
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	line := func(at int) int { return 1 + bytes.Count(src[:at], []byte("\n")) }
	if at := bytes.IndexByte(src, 0); at >= 0 {
		return nil, Problems{{File: file, Line: line(at),
			Message: "the file holds a NUL byte, so it is not plain text (UTF-16?): save it as UTF-8"}}
	}
	if at := invalid(src); at >= 0 {
		return nil, Problems{{File: file, Line: line(at), Message: "the file is not UTF-8: save it as UTF-8"}}
	}
	return src, nil
}

// invalid returns where src stops being UTF-8, or -1.
func invalid(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// maxType is the longest name of a process type; it becomes part of a
// container's host name (RFC 1123, as in Dokku).
const maxType = 63

// ValidType reports whether a process type can have the name.
func ValidType(name string) bool { return badType(name) == "" }

// badType says what is wrong with the name of a process type, or "".
func badType(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return Quote(s) + " cannot be the name of a process type: use letters, digits, - and _"
		}
	}
	switch {
	case s == "":
		return "the name of the process type is missing"
	case len(s) > maxType:
		return "the name of the process type is longer than 63 characters"
	}
	return ""
}
