package dockerfile

import (
	"cmp"
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
// of the file, each once. A stage that builds on another one has its ports first.
//
// An entry that needs a variable of a base image is left out: the file does not
// tell its value. A file that cannot be parsed has no ports: the engine says what
// is wrong with it.
//
// It fails if reading the file takes too much work: see work.
func exposedPorts(content []byte, from outside) ([]int, error) {
	file, err := parse(content)
	if err != nil {
		return nil, tooMuch(err)
	}
	r := newReader(file, from.args, from.variables())
	for _, n := range file.AST.Children {
		if err := r.instruction(n); err != nil || r.spent.err != nil {
			return nil, r.spent.err
		}
	}
	built := r.current
	if from.target != "" {
		built = r.find(from.target)
	}
	if built == nil {
		return nil, nil
	}
	return built.ports, nil
}

// stage is what a stage's EXPOSE lines depend on, and what they have exposed so far.
type stage struct {
	// on is the stage that this one builds on, which nothing changes any more; nil: none. Its
	// variables are looked up there: a copy for each stage would let a small file take gigabytes.
	on    *stage
	depth int               // how many stages are below this one
	args  map[string]string // of ARG, which ENV overrides
	env   map[string]string
	ports []int
}

// exposeReader goes through a Dockerfile from the top down.
type exposeReader struct {
	args    map[string]string // values from outside
	lex     *shell.Lex
	spent   work
	global  map[string]string // ARGs before the first FROM, and BuildKit's own
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
	r.spent.at(n.StartLine, 0)
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
	base, err := r.word(c.BaseName, variables(r.global))
	if err != nil {
		return err
	}
	r.current = &stage{args: map[string]string{}, env: map[string]string{}}
	if on := r.stages[strings.ToLower(base)]; on != nil {
		r.current = &stage{on: on, depth: on.depth + 1, args: map[string]string{}, env: map[string]string{}, ports: slices.Clip(on.ports)}
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
		return r.word(word, scope)
	}
}

// word expands a word.
func (r *exposeReader) word(word string, scope shell.EnvGetter) (string, error) {
	value, _, err := r.lex.ProcessWord(word, r.spent.scope(word, scope))
	return value, cmp.Or(r.spent.err, err)
}

// expose reads the line's words from the syntax tree: BuildKit's ExposeCommand has
// them sorted.
func (r *exposeReader) expose(n *parser.Node) error {
	for word := n.Next; word != nil; word = word.Next {
		specs, err := r.lex.ProcessWords(word.Value, r.spent.scope(word.Value, r.current))
		if err != nil {
			return err
		}
		for _, spec := range specs {
			r.add(spec)
		}
	}
	return nil
}

// add adds the ports of "80", "80/tcp", "8000-8002" or, as the engine takes it,
// "8080:80". Whatever is no port is the engine's to refuse.
func (r *exposeReader) add(spec string) {
	s := r.current
	if len(s.ports) >= maxPorts {
		return // the first ones are those that count
	}
	ports, protocol, _ := strings.Cut(spec, "/")
	if protocol != "" && !strings.EqualFold(protocol, "tcp") || !r.spent.add(portWork*sizeOf(ports)) {
		return
	}
	mappings, err := nat.ParsePortSpec(spec)
	if err != nil {
		return
	}
	for _, m := range mappings {
		port, err := strconv.Atoi(m.Port.Port())
		if err == nil && port > 0 && len(s.ports) < maxPorts && m.Port.Proto() == "tcp" && !slices.Contains(s.ports, port) {
			s.ports = append(s.ports, port)
		}
	}
}

// sizeOf returns how many ports "8000-8002" or "9000:8000-8002" has, as far as it is a range.
func sizeOf(ports string) int {
	first, last, _ := strings.Cut(ports[strings.LastIndex(ports, ":")+1:], "-")
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if err != nil || err2 != nil || to < from {
		return 1
	}
	return min(to-from+1, 1<<16)
}

// Get implements shell.EnvGetter.
func (s *stage) Get(key string) (string, bool) {
	for b := s; b != nil; b = b.on {
		if v, ok := b.env[key]; ok {
			return v, true
		}
	}
	for b := s; b != nil; b = b.on {
		if v, ok := b.args[key]; ok {
			return v, true
		}
	}
	return "", false
}

// Keys implements shell.EnvGetter.
func (s *stage) Keys() []string {
	all := map[string]string{}
	for b := s; b != nil; b = b.on {
		maps.Copy(all, b.env)
		maps.Copy(all, b.args)
	}
	return slices.Collect(maps.Keys(all))
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
