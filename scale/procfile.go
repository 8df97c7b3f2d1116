package scale

import (
	"fmt"
	"strings"
)

const (
	procfileName = "Procfile"
	releaseType  = "release"
	// Web is the process type that gets the requests.
	Web = "web"
)

// Process is a line of a Procfile.
type Process struct {
	Type    string
	Command string // as written, without a comment
	Line    int    // 1-based
	Column  int    // of Command in the line, in bytes, 1-based
}

// Procfile has an app's process types in the order of the file. Nil means that the app
// has no Procfile; its web process then runs the image's own command.
type Procfile []Process

// Lookup returns the process of a type.
func (p Procfile) Lookup(typ string) (Process, bool) {
	for _, proc := range p {
		if proc.Type == typ {
			return proc, true
		}
	}
	return Process{}, false
}

// Release returns the command that runs once in a new image before the processes start;
// ok is false without one.
func (p Procfile) Release() (command string, ok bool) {
	proc, ok := p.Lookup(releaseType)
	return proc.Command, ok
}

// Processes returns the processes that can be started: all but release.
func (p Procfile) Processes() []Process {
	var list []Process
	for _, proc := range p {
		if proc.Type != releaseType {
			list = append(list, proc)
		}
	}
	return list
}

// Types returns the names of the types that can be started, in the order of the file.
// Without a Procfile, and with one that has only release, it is web, which runs the
// image's own command, as in Dokku up to 0.30.
func (p Procfile) Types() []string {
	if len(p.Processes()) == 0 {
		return []string{Web}
	}
	types := []string{}
	for _, proc := range p {
		if proc.Type != releaseType {
			types = append(types, proc.Type)
		}
	}
	return types
}

// ParseProcfile reads lines of the form "type: command". The error is a Problems with
// all errors. The rules are procfile-util's (Dokku 0.38), except that it rejects a file
// with a line that does not parse, and that the colon may follow white space.
func ParseProcfile(src []byte) (Procfile, error) {
	lines, err := Lines(procfileName, src)
	if err != nil {
		return nil, err
	}
	var procs Procfile
	var bad Problems
	first := map[string]int{} // lines
	open := ""                // the last command so far, if it is unfinished
	for _, l := range lines {
		if comment(l.Text) {
			continue
		}
		proc, message := parseProcess(l.Text)
		if message != "" && open != "" {
			bad = bad.continued(procs[len(procs)-1], l)
			if open += "\n" + l.Text; !unfinished(open) {
				open = ""
			}
			continue
		}
		if message == "" {
			if line, ok := first[proc.Type]; ok {
				message = fmt.Sprintf("line %[2]d already has %[1]s: rename one of them", proc.Type, line)
			}
		}
		if open = ""; message != "" {
			bad = append(bad, Problem{procfileName, l.Number, l.Text, message})
			continue
		}
		if unfinished(proc.Command) {
			open = proc.Command
		}
		first[proc.Type] = l.Number
		proc.Line, proc.Column = l.Number, proc.Column+l.Column-1
		procs = append(procs, proc)
	}
	if len(bad) == 0 && len(procs) == 0 {
		bad = Problems{{File: procfileName, Message: "the file has no process: " +
			"write a line such as web: ./server, or remove the file to run the image's own command"}}
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return procs, nil
}

// parseProcess reads one line; message describes the error, if any.
func parseProcess(line string) (p Process, message string) {
	for _, marker := range []string{"<<<<<<<", ">>>>>>>", "======"} {
		if strings.HasPrefix(line, marker) {
			return Process{}, "this is a leftover of a merge conflict: resolve it and commit the file again"
		}
	}
	name, command, ok := strings.Cut(line, ":")
	if !ok {
		return Process{}, "this is not a process: write type: command"
	}
	name = strings.TrimSpace(name)
	if message := badType(name); message != "" {
		return Process{}, message
	}
	column := len(line) - len(strings.TrimLeft(command, " \t")) + 1
	command = strings.TrimSpace(command)
	if i := commentAt(command); i >= 0 {
		command = strings.TrimSpace(command[:i])
	}
	if command == "" {
		return Process{}, fmt.Sprintf("%s has no command: write %[1]s: command, or remove the line", name)
	}
	return Process{Type: name, Command: command, Column: column}, ""
}

// continued adds the problem of a command that goes on in the line l, once for a command.
func (ps Problems) continued(proc Process, l Line) Problems {
	if n := len(ps); n > 0 && ps[n-1].Line == proc.Line {
		return ps
	}
	return append(ps, Problem{procfileName, proc.Line, proc.Type + ": " + proc.Command, fmt.Sprintf(
		"a command is one line, and this one goes on in line %d: join the lines, with && or ; between commands, or put them into a script and run that",
		l.Number)})
}

// unfinished reports whether a shell would read on behind the text: a quote is open, or
// the last character is a backslash.
func unfinished(s string) bool {
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote != '\'':
			if i++; i == len(s) {
				return true
			}
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		}
	}
	return quote != 0
}

func comment(s string) bool {
	return strings.HasPrefix(s, "#") || strings.HasPrefix(s, "//")
}

// commentAt returns the index of a comment, which begins at the start or after white space
// and not inside quotes; -1 without one.
func commentAt(s string) int {
	var quote byte
	space := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && quote != '\'':
			i++
			space = false
			continue
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case space && comment(s[i:]):
			return i
		case c == '\'' || c == '"' || c == '`':
			quote = c
		}
		space = quote == 0 && (c == ' ' || c == '\t')
	}
	return -1
}
