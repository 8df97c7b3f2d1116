package checks

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// maxExpanded is the most bytes of a CHECKS file whose templates are filled in, before and
// after.
const maxExpanded = 64 << 10

// Expand fills in the templates of a CHECKS file: {{ var "NAME" }} is the value of a config
// variable, as in Dokku. lookup returns it, or "". Lines keep their numbers. A file that is
// no template that is read here stays as it stands, with a warning.
func Expand(src []byte, lookup func(name string) string) ([]byte, []Warning) {
	if len(src) > maxExpanded || !bytes.Contains(src, []byte("{{")) {
		return src, nil
	}
	out, err := expand(string(src), lookup)
	if err == nil {
		return out, nil
	}
	w := Warning{File: fileName, Message: err.Error()}
	if m := templateError.FindStringSubmatch(err.Error()); m != nil {
		w.Line, _ = strconv.Atoi(m[1])
		w.Message = m[2]
	}
	w.Message = "cannot fill in the template, and takes the file as it stands: " + w.Message
	return src, []Warning{w}
}

// templateError has the line and the message of an error of text/template.
var templateError = regexp.MustCompile(`^template: ` + fileName + `:(\d+)(?::\d+)?: (?:executing "` + fileName + `" at <[^\n]*>: )?([^\n]+)`)

// templateFuncs are those of sigil that need nothing but the app's variables.
func templateFuncs(lookup func(string) string) template.FuncMap {
	return template.FuncMap{
		"var": func(name string) (string, error) {
			value := lookup(name)
			if strings.ContainsAny(value, "\r\n") {
				return "", fmt.Errorf("%s has more than one line", name)
			}
			return value, nil
		},
		"default": func(value, given string) string {
			if given == "" {
				return value
			}
			return given
		},
	}
}

func expand(src string, lookup func(string) string) ([]byte, error) {
	t, err := template.New(fileName).Funcs(templateFuncs(lookup)).Parse(src)
	if err != nil {
		return nil, err
	}
	if len(t.Templates()) > 1 {
		return nil, errors.New("define and block are not read here")
	}
	if t.Tree == nil { // comments alone
		return nil, nil
	}
	if err := harmless(t.Root); err != nil {
		return nil, err
	}
	out := &limited{}
	if err := t.Execute(out, nil); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// limited takes maxExpanded bytes.
type limited struct{ bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > maxExpanded {
		return 0, fmt.Errorf("the file would have more than %d bytes", maxExpanded)
	}
	return l.Buffer.Write(b)
}

// harmless refuses what could take any time or memory, such as range and printf: a pusher
// writes the file, and it is read on the host.
func harmless(node parse.Node) error {
	switch n := node.(type) {
	case nil, *parse.TextNode, *parse.CommentNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.VariableNode:
		return nil
	case *parse.IdentifierNode:
		switch n.Ident {
		case "var", "default", "eq", "ne", "and", "or", "not":
			return nil
		}
		return fmt.Errorf("the function %s is not read here", n.Ident)
	case *parse.ListNode:
		if n == nil { // no else
			return nil
		}
		return each(n.Nodes, harmless)
	case *parse.ActionNode:
		return harmless(n.Pipe)
	case *parse.PipeNode:
		return each(n.Cmds, func(c *parse.CommandNode) error { return each(c.Args, harmless) })
	case *parse.IfNode:
		return errors.Join(harmless(n.Pipe), harmless(n.List), harmless(n.ElseList))
	}
	return fmt.Errorf("%.60q is not read here", node.String())
}

func each[T any](list []T, f func(T) error) error {
	for _, one := range list {
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}
