package dockerfile

import (
	"encoding/csv"
	"net/url"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// A use is what a Dockerfile has the engine fetch or mount.
type use struct {
	line  int    // 1-based
	text  string // as it was written, such as "FROM dokku/shop"
	image string // the image, as the engine looks for it; "": none
	host  string // the host, with a port if one is given, that it comes from; "": none
	// subpath: a cache that the steps of a build share, mounted at a path inside it.
	subpath bool
	// own: a cache, a secret or keys, of which each app has its own.
	own bool
}

// usesOf returns everything in a Dockerfile that comes from elsewhere, as far as the file tells:
// a base image may have triggers (ONBUILD), and a variable may be one of its. Unlike an engine, it
// reads on after a mistake, and what newer engines take for a document of a step (<<EOF) is read
// as instructions too, as older ones do.
//
// It fails if reading the file takes too much work: see work.
func usesOf(content []byte, from outside) (uses []use, err error) {
	file, err := parse(content)
	if err != nil {
		return nil, tooMuch(err) // anything else no engine builds
	}
	for _, global := range from.readings(content) {
		r := &useReader{exposeReader: newReader(file, from.args, global), uses: uses}
		r.read(file.AST.Children)
		if uses = r.uses; r.spent.err != nil {
			return nil, r.spent.err
		}
	}
	return uses, nil
}

type useReader struct {
	exposeReader
	uses []use
	line int // of the instruction that contains the ones being read; 0: none does
}

func (r *useReader) read(nodes []*parser.Node) {
	for _, n := range nodes {
		if r.spent.at(n.StartLine, r.line); r.spent.err != nil {
			return
		}
		r.node(n)
		for _, h := range n.Heredocs {
			// Documents inside documents are read once for each one around them.
			if !r.spent.add(len(h.Content)) {
				return
			}
			if inner, err := parse([]byte(h.Content)); err == nil {
				r.inside(n, inner.AST.Children)
			}
		}
		if r.line == 0 {
			_ = r.instruction(n) // the engine says what is wrong with it
		}
	}
}

// inside reads the instructions that another one contains.
func (r *useReader) inside(n *parser.Node, nodes []*parser.Node) {
	outer := r.line
	if outer == 0 {
		r.line = n.StartLine
	}
	r.read(nodes)
	r.line = outer
}

func (r *useReader) node(n *parser.Node) {
	switch strings.ToLower(n.Value) {
	case command.From:
		if s, ok := parsed[*instructions.Stage](n); ok {
			r.image(n, "FROM "+s.BaseName, r.expandIn(variables(r.global), s.BaseName))
		}
	case command.Copy, command.Add:
		for _, f := range n.Flags {
			if from, ok := strings.CutPrefix(f, "--from="); ok {
				r.image(n, f, r.expand(from))
			}
		}
		if a, ok := parsed[*instructions.AddCommand](n); ok {
			for _, path := range a.SourcePaths {
				if host := hostOf(r.expand(path)); host != "" {
					r.add(n, use{text: "ADD " + path, host: host})
				}
			}
		}
	case command.Run:
		for _, f := range n.Flags {
			if mount, ok := strings.CutPrefix(f, "--mount="); ok {
				r.mount(n, f, r.expand(mount))
			}
		}
	case command.Onbuild:
		if n.Next != nil {
			r.inside(n, n.Next.Children)
		}
	}
}

// parsed is an instruction of a kind.
func parsed[T any](n *parser.Node) (c T, ok bool) {
	i, err := instructions.ParseInstruction(n)
	if err != nil {
		return c, false
	}
	c, ok = i.(T)
	return c, ok
}

// expand replaces the variables that a stage knows.
func (r *useReader) expand(word string) string {
	if r.current == nil {
		return word
	}
	return r.expandIn(r.current, word)
}

func (r *useReader) expandIn(scope shell.EnvGetter, word string) string {
	if value, err := r.word(word, scope); err == nil {
		return value
	}
	return word
}

// mount reads the words of --mount=.
func (r *useReader) mount(n *parser.Node, text, words string) {
	fields, err := csv.NewReader(strings.NewReader(words)).Read()
	if err != nil {
		fields = strings.Split(words, ",")
	}
	kind, subpath := "bind", false
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		switch strings.ToLower(key) {
		case "type":
			kind = strings.ToLower(value)
		case "source", "src":
			subpath = value != "" && value != "/"
		case "from":
			r.image(n, text, value)
		}
	}
	// Nobody here knows a variable of a base image: it may say any kind.
	cache := kind == "cache" || kind == ""
	if cache || kind == "secret" || kind == "ssh" {
		r.add(n, use{text: text, subpath: subpath && cache, own: true})
	}
}

// image notes an image, unless it is a stage.
func (r *useReader) image(n *parser.Node, text, name string) {
	if name == "" || strings.EqualFold(name, "scratch") || r.find(name) != nil {
		return
	}
	host := ""
	if ref, err := reference.ParseNormalizedNamed(name); err == nil {
		host = reference.Domain(ref)
	}
	r.add(n, use{text: text, image: name, host: host})
}

func (r *useReader) add(n *parser.Node, u use) {
	if u.line = r.line; u.line == 0 {
		u.line = n.StartLine
	}
	if !r.spent.add(useWork) {
		return
	}
	if !slices.Contains(r.uses, u) {
		r.uses = append(r.uses, u)
	}
}

// hostOf returns the host of an address that ADD fetches from; "" for a path.
func hostOf(source string) string {
	if u, err := url.Parse(source); err == nil && u.Host != "" {
		return u.Host
	}
	// git@host:path, and what no URL parser takes but a more tolerant one may.
	_, rest, ok := strings.Cut(source, "://")
	if !ok {
		user, rest, ok := strings.Cut(source, "@")
		host, _, scp := strings.Cut(rest, ":")
		if !ok || !scp || strings.Contains(user, "/") {
			return ""
		}
		return host
	}
	host, _, _ := strings.Cut(rest, "/")
	return host[strings.LastIndex(host, "@")+1:]
}
