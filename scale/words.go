package scale

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Limits of what the braces and variables of a command become here: {1..16000} in many words
// are millions of words, and each $NAME is a copy of its value. Linux does not start a program
// with an argument of more than 128 KiB.
const (
	maxWords    = 1000
	maxExpanded = 256 << 10 // bytes, of all words together
)

// errExpansion says that a command becomes too much.
var errExpansion = fmt.Errorf("its braces and variables make more than %d words, or more than %d bytes: put it into a script of the repository, and run that", maxWords, maxExpanded)

// errReplaces says that a command has ${NAME/A/B}, which may be of any length.
var errReplaces = errors.New("${NAME/A/B} needs a shell")

// errProcess says that a command has <(...) or >(...), which the library calls without asking
// whether anybody runs it.
var errProcess = errors.New("<(...) and >(...) need a shell")

// CronWords splits the command of a task as Dokku does: as a shell would, but for operators
// such as ";" and "|", which are an error, and for files, which no word names. env looks up
// variables; an unknown one is empty. A command that becomes more than 1,000 words or 256 KiB
// is an error.
func CronWords(command string, env map[string]string) ([]string, error) {
	if len(command) > maxCommand {
		return nil, lengthError{len(command), maxCommand}
	}
	var words []*syntax.Word
	count, size := 0, 0
	for w, err := range syntax.NewParser().WordsSeq(strings.NewReader(command)) {
		if err != nil {
			return nil, err
		}
		if replaces(w) {
			return nil, errReplaces
		}
		n := alternatives(w)
		count, size = count+n, size+n*int(w.End().Offset()-w.Pos().Offset())
		if count > maxWords || size > maxExpanded {
			return nil, errExpansion
		}
		words = append(words, w)
	}
	value := budget{left: maxExpanded - size}
	argv, err := expand.Fields(&expand.Config{Env: expand.FuncEnviron(func(name string) string {
		v, _ := value.of(env[name], true)
		return v
	}), ProcSubst: func(*syntax.ProcSubst) (string, error) { return "", errProcess }}, words...)
	if value.left < 0 {
		return nil, errExpansion
	}
	return argv, err
}

// A budget limits the bytes of the variables of a command.
type budget struct{ left int }

// of returns a value, or none once there are too many bytes.
func (b *budget) of(value string, ok bool) (string, bool) {
	if b.left -= len(value); b.left < 0 {
		return "", false
	}
	return value, ok
}

// replaces reports whether a word has ${NAME/A/B}, whose length is a product.
func replaces(w *syntax.Word) (found bool) {
	syntax.Walk(w, func(n syntax.Node) bool {
		p, ok := n.(*syntax.ParamExp)
		found = found || ok && p.Repl != nil
		return !found
	})
	return found
}

// alternatives returns the number of words that the braces of a word make; one for a word
// without any. From maxWords on it is only a number above it.
func alternatives(w *syntax.Word) int {
	c := &syntax.Word{Parts: slices.Clone(w.Parts)}
	syntax.SplitBraces(c)
	return counted(c)
}

func counted(w *syntax.Word) int {
	n := 1
	for _, part := range w.Parts {
		b, ok := part.(*syntax.BraceExp)
		if !ok {
			continue
		}
		of := 0
		if b.Sequence {
			of = sequence(b)
		} else {
			for _, e := range b.Elems {
				of = min(of+counted(e), maxWords+1)
			}
		}
		n = min(n*of, maxWords+1)
	}
	return n
}

// sequence counts {FROM..TO..STEP}, of numbers or of letters.
func sequence(b *syntax.BraceExp) int {
	from, err := strconv.ParseInt(b.Elems[0].Lit(), 10, 64)
	to, toErr := strconv.ParseInt(b.Elems[1].Lit(), 10, 64)
	if err != nil || toErr != nil {
		from, to = int64(b.Elems[0].Lit()[0]), int64(b.Elems[1].Lit()[0])
	}
	step := uint64(1)
	if len(b.Elems) > 2 {
		if n, _ := strconv.ParseInt(b.Elems[2].Lit(), 10, 64); n != 0 {
			step = uint64(max(n, -n))
		}
	}
	between := uint64(max(from, to)) - uint64(min(from, to))
	return int(min(between/step, maxWords)) + 1
}
