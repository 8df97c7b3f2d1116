package nginx

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"text/template"
	"text/template/parse"
)

// syntax is text that means more to nginx than one word does. Only this package makes it, out of
// its own literals and of sound words.
type syntax string

// unsound stands for a value that is not a word, in whatever syntax it became a part of.
const unsound syntax = "\x00"

var (
	// oneWord has no character that ends a word of nginx's, begins a variable, a quote, a comment or
	// a block, or makes a regular expression of the word.
	oneWord = regexp.MustCompile(`^[A-Za-z0-9_./@+=*-][A-Za-z0-9_./@+,:=*~%?&-]*$`)

	numeric = regexp.MustCompile(`^[0-9a-f.:/]+$|^\[[0-9a-f.:]+\]:[0-9]+$`)
)

// sound returns a word as a part of syntax.
func sound(word string) syntax {
	if !oneWord.MatchString(word) {
		return unsound
	}
	return syntax(word)
}

// errUnsound is the error of a template that was given a value which nginx could read as more
// than it should. The error does not have the value, which may be long.
var errUnsound = errors.New("a value is no word of nginx's")

// escape is the last function of each action of the templates.
func escape(value any) (string, error) {
	switch v := value.(type) {
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case netip.AddrPort, netip.Prefix, netip.Addr:
		if s := fmt.Sprint(v); numeric.MatchString(s) {
			return s, nil
		}
	case syntax:
		for i := range len(v) {
			if v[i] == 0 {
				return "", errUnsound
			}
		}
		return string(v), nil
	case string:
		if oneWord.MatchString(v) {
			return v, nil
		}
	}
	return "", fmt.Errorf("%w: a %T", errUnsound, value)
}

// escaped adds escape to every action of the templates that prints something.
func escaped(t *template.Template) *template.Template {
	for _, each := range t.Templates() {
		if each.Tree != nil {
			escapeNode(each.Root)
		}
	}
	return t
}

func escapeNode(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, each := range n.Nodes {
			escapeNode(each)
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos,
				Args: []parse.Node{parse.NewIdentifier("escape").SetPos(n.Pos)}})
		}
	case *parse.IfNode:
		escapeNode(n.List)
		escapeNode(n.ElseList)
	case *parse.RangeNode:
		escapeNode(n.List)
		escapeNode(n.ElseList)
	case *parse.WithNode:
		escapeNode(n.List)
		escapeNode(n.ElseList)
	}
}
