package scale

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// quick are the builtins of sh, bash and busybox that end at once, and those of bash.
var quick = strings.Fields(". : [ alias bg break cd continue declare disown echo enable export false fg getopts hash jobs " +
	"kill let local mapfile popd printf pushd pwd read readarray readonly return set shift shopt source test times true " +
	"type typeset ulimit umask unalias unset exit")

// Shell returns the arguments that run a line with the image's shell. The line keeps its
// meaning, and each process that it starts gets the signal that stops the container: see
// doc.go. Shell expects a line that Command accepts.
func Shell(line string) []string { return shell(line, false, nil) }

// shell is Shell with words as the line's positional parameters. terminal: the keys of a
// terminal signal all processes, so the line is not put into the background.
func shell(line string, terminal bool, words []string) []string {
	p := planLine(line)
	script := []string{p.text}
	switch {
	case p.forwards && !terminal:
		script = append([]string{forwarder, "sh", p.text}, words...)
	case len(words) > 0:
		script = append([]string{p.text, "sh"}, words...)
	}
	if len(p.bash) == 0 {
		return append([]string{"/bin/sh", "-c"}, script...)
	}
	return append([]string{"/bin/sh", "-c", chooser(p.bash), "sh"}, script...)
}

// A linePlan says how a shell runs a line so that signals reach its processes.
type linePlan struct {
	text     string     // the line with exec where that is exact
	forwards bool       // the shell stays and has to pass signals on
	bash     []bashOnly // what the line needs bash for
}

// planLine plans a line. It returns a line unchanged that no shell can parse, or that
// handles TERM itself.
func planLine(line string) linePlan {
	file, err := parse(line, syntax.LangBash)
	if err != nil {
		if file, err = parse(line, syntax.LangPOSIX); err != nil {
			return linePlan{text: line}
		}
	}
	p := linePlan{text: line, bash: needsBash(file)}
	x := execs{functions: map[string]bool{}}
	syntax.Walk(file, x.declare)
	if x.ownTrap {
		return p
	}
	// exec would drop a trap, and leave the background jobs to a program that does not
	// know them.
	x.list(file.Stmts, !x.trap && !x.jobs)
	p.forwards = x.forwards
	slices.Sort(x.at)
	for _, at := range slices.Backward(x.at) {
		p.text = p.text[:at] + "exec " + p.text[at:]
	}
	return p
}

// execs finds the commands that may replace the shell that starts them: the last one
// that a shell, or a copy of it, runs.
type execs struct {
	functions map[string]bool
	trap      bool // the line sets a trap
	ownTrap   bool // and may set it for TERM
	jobs      bool // the line has background jobs
	at        []int
	// forwards: a shell waits for a process, so TERM would end the shell alone.
	forwards bool
}

// declare notes the functions, traps and background jobs of a line.
func (x *execs) declare(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.Stmt:
		x.jobs = x.jobs || n.Background || n.Coprocess
	case *syntax.FuncDecl:
		x.functions[n.Name.Value] = true
	case *syntax.CallExpr:
		if len(n.Args) == 0 || n.Args[0].Lit() != "trap" {
			break
		}
		x.trap = true
		for _, w := range n.Args[1:] {
			switch name, static := literal(w); strings.TrimPrefix(strings.ToUpper(name), "SIG") {
			case "TERM", "15":
				x.ownTrap = true
			default:
				x.ownTrap = x.ownTrap || !static && w != n.Args[1]
			}
		}
	}
	return true
}

// list visits statements; tail: nothing follows them in their shell.
func (x *execs) list(stmts []*syntax.Stmt, tail bool) {
	for i, s := range stmts {
		x.stmt(s, tail && i == len(stmts)-1)
	}
}

func (x *execs) stmt(s *syntax.Stmt, tail bool) {
	if s.Background || s.Coprocess {
		x.child(s.Cmd)
		return
	}
	x.command(s.Cmd, tail && !s.Negated)
}

// child visits a command for which the shell makes a copy of itself.
func (x *execs) child(c syntax.Command) {
	x.forwards = true
	if _, simple := c.(*syntax.CallExpr); !simple { // the copy becomes a simple command by itself
		x.command(c, true)
	}
}

func (x *execs) command(c syntax.Command, tail bool) {
	switch c := c.(type) {
	case *syntax.CallExpr:
		x.call(c, tail)
	case *syntax.BinaryCmd:
		if c.Op == syntax.Pipe || c.Op == syntax.PipeAll {
			x.element(c.X)
			x.element(c.Y)
			return
		}
		x.stmt(c.X, false)
		x.stmt(c.Y, tail)
	case *syntax.Block:
		x.list(c.Stmts, tail)
	case *syntax.Subshell:
		x.forwards = true
		x.list(c.Stmts, true)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			x.list(c.Cond, false)
			x.list(c.Then, tail)
		}
	case *syntax.CaseClause:
		for _, item := range c.Items {
			x.list(item.Stmts, tail && item.Op == syntax.Break)
		}
	case *syntax.WhileClause:
		x.list(c.Cond, false)
		x.list(c.Do, false)
	case *syntax.ForClause:
		x.list(c.Do, false)
	case *syntax.TestClause, *syntax.ArithmCmd, *syntax.LetClause, *syntax.DeclClause, *syntax.FuncDecl, nil:
	default:
		x.forwards = true
	}
}

// element visits an element of a pipeline.
func (x *execs) element(s *syntax.Stmt) {
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) {
		x.command(b, true)
		return
	}
	x.child(s.Cmd)
}

func (x *execs) call(c *syntax.CallExpr, tail bool) {
	if len(c.Args) == 0 {
		return
	}
	name, static := literal(c.Args[0])
	switch {
	case static && (slices.Contains(quick, name) || name == "exec" || name == "trap"):
	case tail && static && !x.functions[name] && !slices.Contains(builtins, name) && !strings.HasPrefix(name, "-"):
		x.at = append(x.at, int(c.Args[0].Pos().Offset()))
	default:
		x.forwards = true
	}
}

// literal returns the value of a word that no shell expands.
func literal(w *syntax.Word) (value string, static bool) {
	for _, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			value += part.Value
		case *syntax.SglQuoted:
			value += part.Value
		case *syntax.DblQuoted:
			inner, ok := literal(&syntax.Word{Parts: part.Parts})
			if !ok {
				return "", false
			}
			value += inner
		default:
			return "", false
		}
	}
	return value, true
}

// forwarder runs the line $1 in a copy of the shell and passes signals on: to the copy,
// which leaves after the command that runs now, and to that command and the background
// jobs, its children. A copy that became another program (exec) has a command line of its
// own, and gets the signal alone: what to tell its children is its business. The line
// keeps its standard input, which a background job would lose.
const forwarder = `dokku_forward() {
	[ -n "$!" ] || exit 143
	{ read -r dokku_own </proc/$$/cmdline; read -r dokku_now </proc/$!/cmdline
	dokku_to=$!
	if [ "$dokku_own" = "$dokku_now" ]; then
		kill -TERM $!
		read -r dokku_to </proc/$!/task/$!/children
	fi
	kill -$1 $dokku_to; } 2>/dev/null
}
for dokku_signal in TERM INT QUIT HUP; do trap "dokku_forward $dokku_signal" $dokku_signal; done
dokku_line=$1
shift
exec 3<&0
(trap 'wait; exit 143' TERM
eval "$dokku_line") <&3 3<&- &
while :; do
	wait $!
	dokku_status=$?
	kill -0 $! 2>/dev/null || exit $dokku_status
done`
