package dockerfile

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-connections/nat"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// exposedPorts returns the TCP ports that a stage of a Dockerfile exposes, in the order
// of the file, each once. A stage that builds on another one has its ports first. args
// are the values of build arguments, by name; target is the name or number of the stage,
// "" for the last one.
//
// An entry that needs a variable of a base image is left out: the file does not
// tell its value. A file that cannot be parsed has no ports: the engine says what
// is wrong with it.
func exposedPorts(content []byte, args map[string]string, target string) []int {
	file, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	r := &exposeReader{args: args, lex: shell.NewLex(file.EscapeToken), global: map[string]string{}, stages: map[string]*stage{}}
	for _, n := range file.AST.Children {
		if err := r.instruction(n); err != nil {
			return nil
		}
	}
	built := r.current
	if target != "" {
		built = r.find(target)
	}
	if built == nil {
		return nil
	}
	return built.ports
}

// stage is what a stage's EXPOSE lines depend on, and what they have exposed so far.
type stage struct {
	args  map[string]string // of ARG, which ENV overrides
	env   map[string]string
	ports []int
}

// exposeReader goes through a Dockerfile from the top down.
type exposeReader struct {
	args    map[string]string // values from outside
	lex     *shell.Lex
	global  map[string]string // ARGs before the first FROM
	stages  map[string]*stage // by name in lower case
	order   []*stage
	current *stage
}

// find returns the stage of a name or number, as BuildKit looks for it; nil: none.
func (r *exposeReader) find(target string) *stage {
	if s := r.stages[strings.ToLower(target)]; s != nil {
		return s
	}
	if n, err := strconv.Atoi(target); err == nil && n >= 0 && n < len(r.order) {
		return r.order[n]
	}
	return nil
}

func (r *exposeReader) instruction(n *parser.Node) error {
	switch strings.ToLower(n.Value) {
	case command.From, command.Arg, command.Env:
	case command.Expose:
		if r.current != nil {
			return r.expose(n)
		}
		return nil
	default:
		return nil
	}
	parsed, err := instructions.ParseInstruction(n)
	if err != nil {
		return err
	}
	switch c := parsed.(type) {
	case *instructions.Stage:
		return r.from(c)
	case *instructions.ArgCommand:
		return r.arg(c)
	case *instructions.EnvCommand:
		return r.env(c)
	}
	return nil
}

// from begins a stage. One that builds on an earlier stage takes over its variables
// and ports.
func (r *exposeReader) from(c *instructions.Stage) error {
	base, _, err := r.lex.ProcessWord(c.BaseName, variables(r.global))
	if err != nil {
		return err
	}
	r.current = &stage{args: map[string]string{}, env: map[string]string{}}
	if on := r.stages[strings.ToLower(base)]; on != nil {
		r.current = &stage{args: maps.Clone(on.args), env: maps.Clone(on.env), ports: slices.Clone(on.ports)}
	}
	r.order = append(r.order, r.current)
	if c.Name != "" {
		r.stages[strings.ToLower(c.Name)] = r.current
	}
	return nil
}

// arg sets arguments: a value from outside wins over the default. Inside a stage,
// an argument without a default takes the one before the first FROM.
func (r *exposeReader) arg(c *instructions.ArgCommand) error {
	var scope shell.EnvGetter = variables(r.global)
	if r.current != nil {
		scope = r.current
	}
	if err := c.Expand(r.expander(scope)); err != nil {
		return err
	}
	for _, a := range c.Args {
		value, ok := r.args[a.Key]
		if !ok && a.Value != nil {
			value, ok = *a.Value, true
		}
		if r.current == nil {
			if ok {
				r.global[a.Key] = value
			}
			continue
		}
		if !ok {
			value, ok = r.global[a.Key]
		}
		if ok {
			r.current.args[a.Key] = value
		}
	}
	return nil
}

// env sets variables. All of one line are expanded with the values before it.
func (r *exposeReader) env(c *instructions.EnvCommand) error {
	if r.current == nil {
		return nil
	}
	if err := c.Expand(r.expander(r.current)); err != nil {
		return err
	}
	for _, kv := range c.Env {
		r.current.env[kv.Key] = kv.Value
	}
	return nil
}

func (r *exposeReader) expander(scope shell.EnvGetter) instructions.SingleWordExpander {
	return func(word string) (string, error) {
		value, _, err := r.lex.ProcessWord(word, scope)
		return value, err
	}
}

// expose reads the line's words from the syntax tree: BuildKit's ExposeCommand has
// them sorted.
func (r *exposeReader) expose(n *parser.Node) error {
	for word := n.Next; word != nil; word = word.Next {
		specs, err := r.lex.ProcessWords(word.Value, r.current)
		if err != nil {
			return err
		}
		for _, spec := range specs {
			r.current.add(spec)
		}
	}
	return nil
}

// add adds the ports of "80", "80/tcp", "8000-8002" or, as the engine takes it,
// "8080:80". Whatever is no port is the engine's to refuse.
func (s *stage) add(spec string) {
	mappings, err := nat.ParsePortSpec(spec)
	if err != nil {
		return
	}
	for _, m := range mappings {
		port, err := strconv.Atoi(m.Port.Port())
		if err == nil && port > 0 && m.Port.Proto() == "tcp" && !slices.Contains(s.ports, port) {
			s.ports = append(s.ports, port)
		}
	}
}

// Get implements shell.EnvGetter.
func (s *stage) Get(key string) (string, bool) {
	if v, ok := s.env[key]; ok {
		return v, true
	}
	v, ok := s.args[key]
	return v, ok
}

// Keys implements shell.EnvGetter.
func (s *stage) Keys() []string {
	return slices.Concat(slices.Collect(maps.Keys(s.env)), slices.Collect(maps.Keys(s.args)))
}

// variables are a scope without stages.
type variables map[string]string

// Get implements shell.EnvGetter.
func (v variables) Get(key string) (string, bool) {
	value, ok := v[key]
	return value, ok
}

// Keys implements shell.EnvGetter.
func (v variables) Keys() []string { return slices.Collect(maps.Keys(v)) }
