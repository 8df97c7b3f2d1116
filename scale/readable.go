package scale

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// CheckCommands finds the commands that cannot run, before a build. A process whose command
// no shell can read because of a ( runs all the same if it splits into plain words, as in
// Dokku's Dockerfile deploys, with a warning. The release command runs in a shell, so it is
// an error there. The error is a Problems with file, line and column.
func (p Procfile) CheckCommands() (warnings []Problem, err error) {
	var bad Problems
	for _, proc := range p {
		message, plain := unreadable(proc.Command, proc.Column)
		if message == "" {
			continue
		}
		problem := Problem{procfileName, proc.Line, proc.Type + ": " + proc.Command, message}
		if plain && proc.Type != releaseType {
			problem.Message += "; it runs as plain words, without a shell"
			warnings = append(warnings, problem)
		} else {
			bad = append(bad, problem)
		}
	}
	return warnings, bad.err()
}

// Check returns a Problems with the scripts that no shell can read, and with the mistakes
// in env and scripts.postdeploy.
func (a AppJSON) Check() error {
	bad := slices.Clone(a.problems)
	for _, s := range a.scripts {
		if message, _ := unreadable(s.command, 1); message != "" {
			bad = append(bad, Problem{appJSONName, s.line, s.command, s.name + ", " + message})
		}
	}
	for _, task := range a.Cron {
		if n := len(task.Command); n > maxScript {
			bad = append(bad, Problem{appJSONName, task.Line, task.Command, "cron, " + lengthError{n, maxScript}.Error()})
		}
	}
	slices.SortStableFunc(bad, func(a, b Problem) int { return a.Line - b.Line })
	return bad.err()
}

// unreadable describes the fault of a command that no shell can read, and its fix; "" for
// any other. The command begins in a column of its line. plain: it splits into words.
func unreadable(command string, column int) (message string, plain bool) {
	if len(command) > maxScript {
		return lengthError{len(command), maxScript}.Error(), false
	}
	_, err := parse(command, syntax.LangBash)
	var at syntax.ParseError
	if err == nil || !errors.As(err, &at) {
		return "", false
	}
	if _, posix := parse(command, syntax.LangPOSIX); posix == nil {
		return "", false
	}
	text, first := escaped(command)
	if words, err := simple(text); err == nil && first >= 0 {
		for _, w := range words {
			// Up to the first parenthesis both texts are the same.
			if from, to := int(w.Pos().Offset()), int(w.End().Offset()); from <= first && first < to {
				word := strings.NewReplacer(`\(`, "(", `\)`, ")").Replace(text[from:to])
				quote := "'"
				if strings.Contains(word, quote) {
					quote = `"`
				}
				return fmt.Sprintf("column %d: no shell can read this %c: write the word in quotes, %s",
					column+first, command[first], quote+word+quote), true
			}
		}
	}
	fix := ""
	if strings.Contains(at.Text, "quote") {
		fix = `: close the quote, or write \ before it`
	}
	return fmt.Sprintf("column %d: no shell can read this command: %s%s", column+int(at.Pos.Col())-1, at.Text, fix), false
}

// escaped writes a backslash before each parenthesis that is not quoted and does not
// follow a $. first is the index of the first one in the command, or -1.
func escaped(command string) (text string, first int) {
	var b strings.Builder
	var quote byte
	first = -1
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(command):
			b.WriteByte(c)
			i++
			c = command[i]
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case (c == '(' || c == ')') && (i == 0 || command[i-1] != '$'):
			if first < 0 {
				first = i
			}
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String(), first
}
