package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"dokku/build"
)

// What reading a Dockerfile may take. The hook reads a pusher's file on the server, outside of the
// group that bounds git, and variables let a file of 500 bytes ask for gigabytes.
const (
	// maxWork is what one reading of a Dockerfile may cost, in about 10 ns or a byte each. The
	// largest honest files cost some 100,000.
	maxWork = 8 << 20
	// maxWord is the length in bytes of the longest word with a variable: the expander calls itself
	// for each ${ inside another one.
	maxWord = 64 << 10
	// maxTriggers is how often ONBUILD may occur: the parser reads the rest of a line for each.
	maxTriggers = 200
	// maxPorts is how many ports of a stage are read.
	maxPorts = 100
	// portWork is the cost of a port: the parser makes a list of a range.
	portWork = 32
	// useWork is the cost of what the engine fetches or mounts: each is compared with all before it,
	// and the engine and the name servers are asked about it.
	useWork = maxWork / 1000
)

// workError says that reading a Dockerfile takes too much work.
type workError struct {
	line int // 1-based; 0: the whole file
	text string
}

func (e *workError) Error() string { return e.text }

// tooMuch returns err if it is a workError, or else nil.
func tooMuch(err error) error {
	if e := (*workError)(nil); errors.As(err, &e) {
		return e
	}
	return nil
}

// work returns the error about a file that takes too much work.
func (g guard) work(err error) error {
	e := (*workError)(nil)
	if !errors.As(err, &e) {
		return err
	}
	where := g.name
	if e.line > 0 {
		where = fmt.Sprintf("%s:%d", g.name, e.line)
	}
	return &build.FileError{File: g.name, Line: e.line, Err: &build.Error{Commit: g.request.Commit.Short, Reason: where + ": " + e.text}}
}

// parse parses a Dockerfile or a document inside one.
func parse(content []byte) (*parser.Result, error) {
	if n := bytes.Count(bytes.ToLower(content), []byte("onbuild")); n > maxTriggers {
		return nil, &workError{0, fmt.Sprintf("ONBUILD occurs %d times, more than %d; remove some", n, maxTriggers)}
	}
	return parser.Parse(bytes.NewReader(content))
}

func newReader(file *parser.Result, args, global map[string]string) exposeReader {
	return exposeReader{args: args, lex: shell.NewLex(file.EscapeToken), global: global, stages: map[string]*stage{}}
}

// work counts what a reading has cost.
type work struct {
	done int
	line int // of the instruction that is read
	err  error
}

// at notes the line that is read, or that of the instruction around it, unless that is 0.
func (w *work) at(line, outer int) {
	if w.line = outer; outer == 0 {
		w.line = line
	}
	w.add(1)
}

// add counts n. It reports whether the reading may go on.
func (w *work) add(n int) bool {
	if w.err == nil && n > maxWork-w.done {
		w.err = &workError{w.line, "up to here its variables, stages, images, mounts and ranges of ports take too much work to read; use fewer, or shorter values"}
	}
	if w.err == nil {
		w.done += n
	}
	return w.err == nil
}

// scope returns the variables for a word, whose look-ups are counted.
func (w *work) scope(word string, on shell.EnvGetter) shell.EnvGetter {
	w.add(len(word))
	if len(word) > maxWord && strings.Contains(word, "$") && w.err == nil {
		w.err = &workError{w.line, fmt.Sprintf("a word with variables has %d bytes, more than %d; use shorter ones", len(word), maxWord)}
	}
	s := &countedScope{EnvGetter: on, work: w, inside: len(word)}
	// ${NAME#pattern}, ${NAME%pattern} and ${NAME/pattern/text} match what is in the braces with
	// the value, and may put the text in the place of each of its bytes.
	s.matches = strings.Contains(word, "${") && strings.ContainsAny(word, "#%/")
	return s
}

// countedScope are variables that have no value any more once too much work was done, so that a
// single word cannot grow without bound.
type countedScope struct {
	shell.EnvGetter
	work    *work
	inside  int  // bytes of the word, and of the values that it has so far
	matches bool // a value may be compared with all of these
}

// Get implements shell.EnvGetter.
func (s *countedScope) Get(key string) (string, bool) {
	cost := 1
	if at, ok := s.EnvGetter.(*stage); ok {
		cost += at.depth
	}
	if !s.work.add(cost) {
		return "", false
	}
	value, ok := s.EnvGetter.Get(key)
	cost = len(value)
	if s.matches && len(value) > 0 {
		cost *= max(1, s.inside/16)
	}
	if !s.work.add(cost) {
		return "", false
	}
	s.inside += len(value)
	return value, ok
}
