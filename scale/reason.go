package scale

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// ShellReason names what a command needs a shell for, as written: "&&", "$(date)", "cd".
// It is empty for a command that runs without one.
func ShellReason(command string, env func(name string) (string, bool)) string {
	file, err := parse(command, syntax.LangBash)
	if err != nil {
		return ""
	}
	argv, err := plainCommand(command, env)
	if argv != nil || err != nil {
		return ""
	}
	reason := ""
	syntax.Walk(file, func(n syntax.Node) bool {
		if reason == "" && n != nil {
			reason = shellNode(command, n, env)
		}
		return reason == ""
	})
	return reason
}

// shellNode returns the part of the command that a node needs a shell for; "": none.
func shellNode(command string, n syntax.Node, env func(string) (string, bool)) string {
	written := func(n syntax.Node) string { return command[n.Pos().Offset():n.End().Offset()] }
	switch n := n.(type) {
	case *syntax.BinaryCmd:
		return n.Op.String()
	case *syntax.Redirect:
		return n.Op.String()
	case *syntax.Stmt:
		switch {
		case n.Background:
			return "&"
		case n.Negated:
			return "!"
		case n.Semicolon.IsValid():
			return ";"
		}
	case *syntax.Assign:
		return written(n)
	case *syntax.CallExpr:
		if len(n.Args) > 0 && len(n.Assigns) == 0 && slices.Contains(builtins, n.Args[0].Lit()) {
			return n.Args[0].Lit()
		}
	case *syntax.Word:
		if !plainWord(n, env) {
			return written(n)
		}
	case *syntax.File, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted, *syntax.ParamExp, *syntax.Comment:
	default: // a compound command, by its first word
		word, _, _ := strings.Cut(written(n), " ")
		return word
	}
	return ""
}
