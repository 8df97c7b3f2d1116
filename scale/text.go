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
	Column int    // of Text in the line, in bytes, 1-based
	Text   string // trimmed
}

// Limits of control files, which people write by hand. A larger file is a mistake or an
// attack. A revision may not have an app.json of more than maxLines either; releases of
// older versions have some.
const (
	maxLines = 64 << 10 // bytes, of a file of lines
	maxJSON  = 1 << 20  // bytes
)

// Lines splits a control file and leaves out blank lines. It accepts CRLF, lone CR, a
// UTF-8 byte order mark and a last line without a newline. The error is a Problems: the
// file has more than 64 KiB, or is not UTF-8 (PowerShell's > writes UTF-16).
func Lines(file string, src []byte) ([]Line, error) {
	text, err := plain(file, src, maxLines)
	if err != nil {
		return nil, err
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	var lines []Line
	for i, whole := range strings.Split(string(text), "\n") {
		if s := strings.TrimSpace(whole); s != "" {
			lines = append(lines, Line{i + 1, strings.Index(whole, s) + 1, s})
		}
	}
	return lines, nil
}

// plain returns src as UTF-8 without a byte order mark.
func plain(file string, src []byte, most int) ([]byte, error) {
	whole := func(message string) error { return Problems{{File: file, Message: message}} }
	if len(src) > most {
		return nil, whole(fmt.Sprintf("the file has %d bytes, more than the limit of %d: is it the right file?", len(src), most))
	}
	if bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) {
		return nil, whole("the file is UTF-16: save it as UTF-8 (in PowerShell: Set-Content -Encoding utf8)")
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	line := func(at int) int { return 1 + bytes.Count(src[:at], []byte("\n")) }
	if at := bytes.IndexByte(src, 0); at >= 0 {
		return nil, Problems{{File: file, Line: line(at),
			Message: "the file contains a NUL byte, so it is not plain text (UTF-16?): save it as UTF-8"}}
	}
	if at := invalid(src); at >= 0 {
		return nil, Problems{{File: file, Line: line(at), Message: "the file is not UTF-8: save it as UTF-8"}}
	}
	return src, nil
}

// invalid returns the index of the first byte that is not UTF-8, or -1.
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

// maxType limits the name of a process type, which becomes part of a container's host
// name (RFC 1123, as in Dokku).
const maxType = 63

// ValidType reports whether name can be the name of a process type.
func ValidType(name string) bool { return badType(name) == "" }

// badType returns the error in the name of a process type, or "".
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
