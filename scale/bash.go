package scale

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A bashOnly is a construct that POSIX sh does not have.
type bashOnly struct {
	name  string // as people write it: "source"
	probe string // a script that succeeds in a shell that has the construct
	fix   string // what to write instead; may be empty
	plain bool   // any other shell takes it for plain text, as POSIX says
}

// bashisms are the constructs. busybox has some of them, so a probe decides.
var bashisms = []bashOnly{
	{name: "source", probe: `command -v source`, fix: "write . ./FILE"},
	{name: "[[ ]]", probe: `[[ a = a ]]`, fix: "write [ ]"},
	{name: "<<<", probe: `read a <<<a`, fix: "write printf and a pipe"},
	{name: "{a,b} or {1..3}", probe: `set -- {1..2}; [ $# = 2 ]`, fix: "write the words", plain: true},
	{name: "$'...'", probe: `[ $'a' = a ]`, fix: "use printf", plain: true},
	{name: `$"..."`, probe: `[ $"a" = a ]`, fix: `write "..."`, plain: true},
	{name: "arrays", probe: `a=(b)`},
	{name: "<( )", probe: `cat <(:)`, fix: "use a pipe or a file"},
	{name: "(( ))", probe: `((1))`, fix: "write [ ] and $(( ))"},
	{name: "for (( ))", probe: `for ((i=0; i<1; i++)); do :; done`, fix: "use while"},
	{name: "select", probe: `select a in; do :; done`},
	{name: "coproc", probe: `coproc :`},
	{name: "function", probe: `function f { :; }`, fix: "write NAME() { }"},
	{name: "&>", probe: `[ -z "$(echo a &>/dev/null)" ]`, fix: "write >FILE 2>&1"},
	{name: "|&", probe: `: |& :`, fix: "write 2>&1 |"},
	{name: "+=", probe: `a=x; a+=y; [ $a = xy ]`, fix: "write NAME=$NAME..."},
	{name: "${NAME:0:1}", probe: `a=abc; [ ${a:1:1} = b ]`, fix: "use cut"},
	{name: "${NAME/A/B}", probe: `a=abc; [ ${a/b/x} = axc ]`, fix: "use sed"},
	{name: "${NAME^}", probe: `a=x; [ ${a^} = X ]`, fix: "use tr"},
	{name: "${!NAME}", probe: `a=b; b=c; [ ${!a} = c ]`, fix: "use eval"},
	{name: "wait -n", probe: `wait -n; [ $? = 127 ]`, fix: "use wait with the number of a process"},
	{name: "set -o pipefail", probe: `set -o pipefail`},
	{name: "declare", probe: `command -v declare`, fix: "assign without it"},
	{name: "shopt", probe: `command -v shopt`},
	{name: "pushd", probe: `command -v pushd`, fix: "use cd"},
	{name: "mapfile", probe: `command -v mapfile`, fix: "use while read"},
}

// needsBash returns the constructs of a line that POSIX sh does not have.
func needsBash(file *syntax.File) []bashOnly {
	var found []bashOnly
	need := func(name string) {
		i := slices.IndexFunc(bashisms, func(b bashOnly) bool { return b.name == name })
		if !slices.Contains(found, bashisms[i]) {
			found = append(found, bashisms[i])
		}
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		if name := bashism(n); name != "" {
			need(name)
		}
		return true
	})
	return found
}

// bashism returns the name of the construct that a node is; "" for POSIX.
func bashism(n syntax.Node) string {
	switch n := n.(type) {
	case *syntax.TestClause:
		return "[[ ]]"
	case *syntax.ArithmCmd, *syntax.LetClause:
		return "(( ))"
	case *syntax.CStyleLoop:
		return "for (( ))"
	case *syntax.ForClause:
		if n.Select {
			return "select"
		}
	case *syntax.CoprocClause:
		return "coproc"
	case *syntax.FuncDecl:
		if n.RsrvWord {
			return "function"
		}
	case *syntax.SglQuoted:
		if n.Dollar {
			return "$'...'"
		}
	case *syntax.DblQuoted:
		if n.Dollar {
			return `$"..."`
		}
	case *syntax.ProcSubst:
		return "<( )"
	case *syntax.ArrayExpr:
		return "arrays"
	case *syntax.Assign:
		if n.Append {
			return "+="
		}
	case *syntax.Redirect:
		switch n.Op {
		case syntax.WordHdoc:
			return "<<<"
		case syntax.RdrAll, syntax.AppAll:
			return "&>"
		}
	case *syntax.BinaryCmd:
		if n.Op == syntax.PipeAll {
			return "|&"
		}
	case *syntax.DeclClause:
		if v := n.Variant.Value; v != "export" && v != "readonly" && v != "local" {
			return "declare"
		}
	case *syntax.ParamExp:
		return bashExpansion(n)
	case *syntax.Word:
		if braces(n) {
			return "{a,b} or {1..3}"
		}
	case *syntax.CallExpr:
		return bashCommand(n)
	}
	return ""
}

func bashExpansion(p *syntax.ParamExp) string {
	switch {
	case p.Index != nil:
		return "arrays"
	case p.Excl:
		return "${!NAME}"
	case p.Slice != nil:
		return "${NAME:0:1}"
	case p.Repl != nil:
		return "${NAME/A/B}"
	case p.Exp == nil:
		return ""
	}
	switch p.Exp.Op {
	case syntax.UpperFirst, syntax.UpperAll, syntax.LowerFirst, syntax.LowerAll, syntax.OtherParamOps:
		return "${NAME^}"
	}
	return ""
}

// braces reports whether bash would expand {a,b} or {1..3} in a word.
func braces(w *syntax.Word) bool {
	c := &syntax.Word{Parts: slices.Clone(w.Parts)}
	syntax.SplitBraces(c)
	return slices.ContainsFunc(c.Parts, func(p syntax.WordPart) bool {
		b, ok := p.(*syntax.BraceExp)
		return ok && len(b.Elems) > 1
	})
}

// bashCommand returns the construct that a command is by its name.
func bashCommand(c *syntax.CallExpr) string {
	var words []string
	for _, w := range c.Args {
		word, _ := literal(w)
		words = append(words, word)
	}
	if len(words) == 0 {
		return ""
	}
	switch words[0] {
	case "source", "shopt", "pushd", "mapfile":
		return words[0]
	case "popd":
		return "pushd"
	case "readarray":
		return "mapfile"
	case "wait":
		if slices.Contains(words, "-n") {
			return "wait -n"
		}
	case "set":
		if slices.Contains(words, "pipefail") {
			return "set -o pipefail"
		}
	}
	return ""
}

// chooser returns a script that runs its arguments as sh -c does, with bash where the
// image has it. Otherwise it tries the constructs in the image's sh, because busybox has
// many of them, and names a missing one. The exit code is then 2, as of a syntax error:
// 127 would mean that a command was not found.
func chooser(needs []bashOnly) string {
	var b strings.Builder
	b.WriteString("if command -v bash >/dev/null 2>&1; then exec bash -c \"$@\"; fi\n")
	for _, n := range needs {
		fix, end := "install bash in it", " exit 2;"
		if n.fix != "" {
			fix = n.fix + ", or " + fix
		}
		if n.plain {
			end = ""
		}
		message := fmt.Sprintf("this needs bash, which the image does not have: %s; %s", n.name, fix)
		fmt.Fprintf(&b, "(eval %s) >/dev/null 2>&1 </dev/null || { echo %s >&2;%s }\n", single(n.probe), single(message), end)
	}
	b.WriteString("exec /bin/sh -c \"$@\"")
	return b.String()
}

// single quotes a text for a POSIX shell.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
