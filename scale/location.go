package scale

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// location maps a path in a JSON document, its keys joined by NUL, to its place.
type location map[string]place

// A place is the line of a key, or of an array's element, and the offset behind the value's
// first token.
type place struct {
	line int
	end  int64
}

func (l location) has(path ...string) bool {
	_, ok := l[strings.Join(path, "\x00")]
	return ok
}

// line returns the line of a path, or of the nearest object around it.
func (l location) line(path ...string) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if p, ok := l[strings.Join(path, "\x00")]; ok {
			return p.line
		}
	}
	return 0
}

// field returns the full name of the value whose first token ends at an offset; name if
// there is none. The name of encoding/json leaves out the keys of maps.
func (l location) field(end int64, name string) string {
	for path, p := range l {
		if p.end == end {
			return strings.ReplaceAll(path, "\x00", ".")
		}
	}
	return name
}

// lastScalar returns the text, number or literal with which valid JSON ends.
func lastScalar(src []byte) []byte {
	start := len(src) - 1
	if start < 0 || src[start] != '"' {
		return src[bytes.LastIndexAny(src, " \t\r\n:,[{")+1:]
	}
	for start--; start > 0; start-- {
		escapes := len(src[:start]) - len(bytes.TrimRight(src[:start], `\`))
		if src[start] == '"' && escapes%2 == 0 {
			break
		}
	}
	return src[max(start, 0):]
}

// level is an open object or array.
type level struct {
	delim json.Delim
	line  int
	index int    // of the next element of an array
	key   string // of the value that comes next in an object
	named bool   // the key was read, its value not yet
}

// maxDepth limits the nesting of a hostile document.
const maxDepth = 64

// locate reads a document token by token and records the line of each value. It returns
// a Problems for invalid JSON and for duplicate keys.
func locate(src []byte) (location, Problems) {
	where := location{}
	var stack []level
	fail := func(line int, text, message string) (location, Problems) {
		return nil, Problems{{appJSONName, line, text, message}}
	}
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	lines := lineCounter{src: src, line: 1}
	for started := false; !started || len(stack) > 0; started = true {
		tok, err := d.Token()
		line := lines.at(d.InputOffset())
		if err != nil {
			return nil, syntaxProblem(src, err, stack)
		}
		if tok == json.Delim('}') || tok == json.Delim(']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].delim == '{' && !stack[n-1].named {
			stack[n-1].key, stack[n-1].named = tok.(string), true
			if n == 1 {
				stack[0].key = section(stack[0].key)
			}
			path := pathOf(stack)
			if where.has(path...) {
				return fail(line, stack[n-1].key, fmt.Sprintf("this key is in line %d already: keep one of the two", where.line(path...)))
			}
			where[strings.Join(path, "\x00")] = place{line: line}
			continue
		}
		if n := len(stack); n > 0 {
			path := strings.Join(pathOf(stack), "\x00")
			p := place{line, d.InputOffset()}
			if stack[n-1].delim == '{' {
				p.line = where[path].line // of its key
			}
			where[path] = p
			stack[n-1].named = false
			stack[n-1].index++
		}
		if delim, ok := tok.(json.Delim); ok {
			stack = append(stack, level{delim: delim, line: line})
		}
		if len(stack) > maxDepth {
			return fail(line, "", "more than 64 levels of nesting")
		}
	}
	if _, err := d.Token(); err != io.EOF {
		return fail(lineAt(src, d.InputOffset()), "", "there is text after the closing }: remove it")
	}
	return where, nil
}

// section returns the name of a part of the file as it is written here: encoding/json takes it in
// upper case too.
func section(key string) string {
	for _, name := range []string{"formation", "healthchecks", "scripts", "env", "cron"} {
		if strings.EqualFold(key, name) {
			return name
		}
	}
	return key
}

func pathOf(stack []level) []string {
	path := make([]string, len(stack))
	for i, l := range stack {
		path[i] = l.key
		if l.delim == '[' {
			path[i] = fmt.Sprint(l.index)
			if i < len(stack)-1 {
				path[i] = fmt.Sprint(l.index - 1)
			}
		}
	}
	return path
}

// syntaxProblem names the line of a syntax error.
func syntaxProblem(src []byte, err error, stack []level) Problems {
	p := Problem{File: appJSONName}
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		p.Line = lineAt(src, int64(len(bytes.TrimRight(src, " \t\r\n"))))
		p.Message = "the file ends too early"
		if n := len(stack); n > 0 {
			inner := stack[n-1]
			closing := map[json.Delim]string{'{': "}", '[': "]"}[inner.delim]
			p.Message = fmt.Sprintf("the file ends too early: a %s is missing (the %s of line %d is not closed)",
				closing, inner.delim, inner.line)
		}
	case errors.As(err, &syntax):
		p.Line = lineAt(src, syntax.Offset)
		p.Text = textAt(src, p.Line)
		p.Message = "this is not JSON: " + strings.TrimPrefix(syntax.Error(), "json: ")
	default:
		p.Message = err.Error()
	}
	return Problems{p}
}

// lineAt returns the 1-based line of the byte before offset, since json's offsets count
// the bytes that were read.
func lineAt(src []byte, offset int64) int {
	at := min(max(int(offset)-1, 0), len(src))
	return 1 + bytes.Count(src[:at], []byte("\n"))
}

// lineCounter is lineAt for growing offsets: it reads the source once.
type lineCounter struct {
	src  []byte
	read int
	line int
}

func (l *lineCounter) at(offset int64) int {
	end := min(max(int(offset)-1, l.read), len(l.src))
	l.line += bytes.Count(l.src[l.read:end], []byte("\n"))
	l.read = end
	return l.line
}

func textAt(src []byte, line int) string {
	for ; line > 1; line-- {
		_, src, _ = bytes.Cut(src, []byte("\n"))
	}
	text, _, _ := bytes.Cut(src, []byte("\n"))
	return strings.TrimSpace(string(text))
}
