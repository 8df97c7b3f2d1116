package scale

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// builtins are the commands that only a shell has, or that act on the shell.
var builtins = []string{".", ":", "alias", "bg", "break", "builtin", "cd", "command", "continue", "eval",
	"exec", "exit", "export", "fg", "getopts", "hash", "jobs", "local", "read", "readonly", "return", "set", "shift",
	"source", "times", "trap", "type", "ulimit", "umask", "unalias", "unset", "wait"}

// Command turns a Procfile command into arguments for a container. env looks up the app's
// config and PORT. Command splits a plain command as a POSIX shell does and expands its
// variables. A command that needs a shell becomes the arguments of Shell; so does one with
// variables that env does not have, because the image may set them. Command executes
// nothing and does not read the host's environment or files. An error names the quote or
// bracket that is not closed.
func Command(command string, env func(name string) (string, bool)) (argv []string, needsShell bool, err error) {
	argv, err = plainCommand(command, env)
	if err != nil {
		return nil, false, err
	}
	if argv == nil {
		return Shell(command), true, nil
	}
	return nested(argv), false, nil
}

// Once is Command for a one-off process, with more words behind the command. terminal: it
// has a terminal, whose keys send signals, so that no shell may stand in between.
func Once(command string, words []string, terminal bool, env func(name string) (string, bool)) ([]string, error) {
	argv, err := plainCommand(command, env)
	switch {
	case err != nil:
		return nil, err
	case argv != nil && (terminal || len(words) > 0):
		return append(argv, words...), nil
	case argv != nil:
		return nested(argv), nil
	}
	if len(words) > 0 {
		command += ` "$@"`
	}
	return shell(command, terminal, words), nil
}

// plainCommand splits a command that needs no shell; nil for one that does.
func plainCommand(command string, env func(name string) (string, bool)) ([]string, error) {
	if strings.TrimSpace(command) == "" {
		return nil, errors.New("the command is empty")
	}
	words, err := simple(command)
	if _, plain := unreadable(command, 1); plain {
		text, _ := escaped(command)
		words, err = simple(text)
	}
	if err != nil {
		return nil, err
	}
	// The container's shell expands what is too much for this process.
	value := budget{left: maxExpanded}
	for _, w := range words {
		if !plainWord(w, func(name string) (string, bool) { return value.of(env(name)) }) {
			return nil, nil
		}
	}
	if len(words) == 0 || slices.Contains(builtins, words[0].Lit()) {
		return nil, nil
	}
	// Braces, globs and ~ are excluded above. Without handlers, expand reads only env.
	argv, err := expand.Fields(&expand.Config{Env: environ(env)}, words...)
	if err != nil || len(argv) == 0 || argv[0] == "" {
		return nil, nil
	}
	return argv, nil
}

// nested treats the line of a command such as sh -c "cd /app && serve" as Shell does.
func nested(argv []string) []string {
	if len(argv) != 3 || argv[1] != "-c" && argv[1] != "-lc" {
		return argv
	}
	switch path.Base(argv[0]) {
	case "sh", "bash", "dash", "ash":
		p := planLine(argv[2])
		if p.forwards {
			return []string{argv[0], argv[1], forwarder, "sh", p.text}
		}
		argv[2] = p.text
	}
	return argv
}

// simple returns the words of a single command without assignments and redirections; nil
// for any other command that a shell can parse.
func simple(command string) ([]*syntax.Word, error) {
	file, err := parse(command, syntax.LangBash)
	if err != nil {
		if _, posix := parse(command, syntax.LangPOSIX); posix == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read the command %s: %s", Quote(command), parseMessage(err))
	}
	if len(file.Stmts) != 1 {
		return nil, nil
	}
	s := file.Stmts[0]
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || s.Negated || s.Background || s.Coprocess || s.Semicolon.IsValid() || len(s.Redirs) > 0 || len(call.Assigns) > 0 {
		return nil, nil
	}
	return call.Args, nil
}

// maxScript is the length in bytes of the longest command of a revision that is accepted. The
// shell's parser takes time with the square of the number of open parentheses.
//
// maxCommand is the length of the longest command that is read, of a release that an older
// version accepted too. The parser calls itself for each open parenthesis: some 500,000
// overflow the stack, which ends the program.
const (
	maxScript  = 4 << 10
	maxCommand = maxLines
)

// A lengthError is the error of a command that is too long, with the limit.
type lengthError struct{ length, most int }

func (e lengthError) Error() string {
	return fmt.Sprintf("it has %d bytes, more than the limit of %d: put it into a script of the repository, and run that", e.length, e.most)
}

func parse(command string, lang syntax.LangVariant) (*syntax.File, error) {
	if len(command) > maxCommand {
		return nil, lengthError{len(command), maxCommand}
	}
	file, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(command), "")
	if err != nil {
		return nil, err
	}
	// The parser takes a function without a name, which only zsh has, in every language.
	syntax.Walk(file, func(n syntax.Node) bool {
		if f, ok := n.(*syntax.FuncDecl); ok && f.Name == nil && err == nil {
			err = syntax.ParseError{Pos: f.Pos(), Text: "a function has no name"}
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

func parseMessage(err error) string {
	var p syntax.ParseError
	if errors.As(err, &p) {
		return fmt.Sprintf("column %d: %s", p.Pos.Col(), p.Text)
	}
	return err.Error()
}

// plainWord reports whether every shell reads the word as expand does.
func plainWord(w *syntax.Word, env func(string) (string, bool)) bool {
	for i, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			if i == 0 && strings.HasPrefix(part.Value, "~") || special(part.Value) {
				return false
			}
		case *syntax.SglQuoted:
			if part.Dollar {
				return false
			}
		case *syntax.DblQuoted:
			if part.Dollar || !plainQuoted(part, env) {
				return false
			}
		case *syntax.ParamExp:
			// The shell would look for files that an unquoted value matches.
			value, ok := variable(part, env)
			if !ok || strings.ContainsAny(value, `*?[\`) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func plainQuoted(q *syntax.DblQuoted, env func(string) (string, bool)) bool {
	for _, part := range q.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
		case *syntax.ParamExp:
			if _, ok := variable(part, env); !ok {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// variable looks up $NAME or ${NAME}; ok is false for every other form.
func variable(p *syntax.ParamExp, env func(string) (string, bool)) (value string, ok bool) {
	if p.Param == nil || p.Excl || p.Length || p.Width || p.IsSet || p.Flags != nil || p.NestedParam != nil ||
		p.Index != nil || len(p.Modifiers) > 0 || p.Slice != nil || p.Repl != nil || p.Names != 0 || p.Exp != nil ||
		!syntax.ValidName(p.Param.Value) {
		return "", false
	}
	return env(p.Param.Value)
}

// special reports whether an unquoted literal has characters, not after a backslash, that
// a shell would expand to file names or several words.
func special(lit string) bool {
	for i := 0; i < len(lit); i++ {
		switch lit[i] {
		case '\\':
			i++
		case '*', '?', '[', '{', '}':
			return true
		}
	}
	// Some shells expand name=~ and a:~.
	return strings.Contains(lit, "=~") || strings.Contains(lit, ":~")
}

// environ gives expand only the app's variables. It leaves out IFS, since a shell ignores
// an inherited one.
type environ func(string) (string, bool)

func (e environ) Get(name string) expand.Variable {
	if name == "IFS" {
		return expand.Variable{}
	}
	value, ok := e(name)
	if !ok {
		return expand.Variable{}
	}
	return expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: value}
}

func (e environ) Each(func(string, expand.Variable) bool) {}
