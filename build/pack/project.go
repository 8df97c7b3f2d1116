package pack

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"github.com/pelletier/go-toml/v2"

	"dokku/build"
	"dokku/build/source"
)

// maxProject is the size in bytes of the largest project.toml. The parser looks for each key
// among all others of its table.
const maxProject = 32 << 10

// project is what a revision's project.toml says of its build. The zero value is that of
// a revision without one.
type project struct {
	path    string
	found   bool
	builder string
	group   []reference
	env     map[string]string
	include []string
	exclude []string
}

// reference names a buildpack in a project.toml.
type reference struct {
	ID      string `toml:"id"`
	Version string `toml:"version"`
	URI     string `toml:"uri"`
}

// The tables of project.toml, of version 0.2 and of the version before.
type (
	descriptor struct {
		IO struct {
			Buildpacks buildTable `toml:"buildpacks"`
		} `toml:"io"`
		Schema struct {
			Version string `toml:"schema-version"`
		} `toml:"_"`
		Build *oldTable `toml:"build"`
	}
	buildTable struct {
		Builder string      `toml:"builder"`
		Include []string    `toml:"include"`
		Exclude []string    `toml:"exclude"`
		Group   []reference `toml:"group"`
		Build   struct {
			Env []variable `toml:"env"`
		} `toml:"build"`
		Pre  groupTable `toml:"pre"`
		Post groupTable `toml:"post"`
	}
	groupTable struct {
		Group []reference `toml:"group"`
	}
	oldTable struct {
		Builder    string      `toml:"builder"`
		Include    []string    `toml:"include"`
		Exclude    []string    `toml:"exclude"`
		Buildpacks []reference `toml:"buildpacks"`
		Env        []variable  `toml:"env"`
	}
	variable struct {
		Name  string `toml:"name"`
		Value string `toml:"value"`
	}
)

// readProject reads the revision's project.toml, if it has one.
func readProject(r build.Request) (project, error) {
	p := project{path: cmp.Or(r.ProjectTOML, "project.toml")}
	text, ok, err := r.Source.File(r.Commit.Tree, p.path, maxProject)
	if err != nil || !ok {
		return p, err
	}
	p.found = true
	if err := p.parse(string(text)); err != nil {
		line := 0
		var at *lineError
		if errors.As(err, &at) {
			line = at.line
		}
		return p, &build.FileError{File: p.path, Line: line, Err: fmt.Errorf("cannot build %s: %s%w", r.Commit.Short, p.path, err)}
	}
	return p, nil
}

// lineError is an error of parse in a line of the file.
type lineError struct {
	line int
	text string
}

func (e *lineError) Error() string { return e.text }

// parse reads the text of a project.toml. Its errors go on after the file's name.
func (p *project) parse(text string) error {
	var d descriptor
	if err := toml.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &d); err != nil {
		line, key, message, ok := build.TOMLProblem(err)
		if !ok {
			return fmt.Errorf(", %w; correct it and push again", err)
		}
		if key != "" { // a value of another type
			key += ": "
		}
		return &lineError{line, fmt.Sprintf(", line %d: %s%s; correct it and push again", line, key, message)}
	}
	t := d.IO.Buildpacks
	if d.Schema.Version == "" && d.Build != nil {
		t = buildTable{Builder: d.Build.Builder, Include: d.Build.Include, Exclude: d.Build.Exclude, Group: d.Build.Buildpacks}
		t.Build.Env = d.Build.Env
	}
	if len(t.Pre.Group)+len(t.Post.Group) > 0 {
		return errors.New(": buildpacks before or after those of the builder (pre, post) are not supported; " +
			"name all buildpacks of the app in [[io.buildpacks.group]]")
	}
	if len(t.Include) > 0 && len(t.Exclude) > 0 {
		return errors.New(": it has both include and exclude; remove one of them")
	}
	p.builder, p.group, p.include, p.exclude = t.Builder, t.Group, t.Include, t.Exclude
	p.env = map[string]string{}
	for _, v := range t.Build.Env {
		if !variableName.MatchString(v.Name) {
			return fmt.Errorf(": %q is not the name of a variable; use letters, digits and _", v.Name)
		}
		p.env[v.Name] = v.Value
	}
	return nil
}

// variableName is what a variable of the build may be called: it becomes the name of a
// file.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// files returns the entries of the tree that the buildpacks get: without those of
// exclude, or those of include alone. The patterns are those of .gitignore.
func (p project) files(t *source.Tree) (*source.Tree, error) {
	if len(p.include)+len(p.exclude) == 0 {
		return t, nil
	}
	var list []gitignore.Pattern
	for _, text := range slices.Concat(p.include, p.exclude) {
		if len(text) > source.MaxPattern {
			return nil, &build.FileError{File: p.path, Err: fmt.Errorf("%s: the pattern %.40q... has %d bytes, more than %d; write a shorter one", p.path, text, len(text), source.MaxPattern)}
		}
		list = append(list, gitignore.ParsePattern(text, nil))
	}
	m, w := gitignore.NewMatcher(list), source.Weigh(slices.Concat(p.include, p.exclude)...)
	out, cost := &source.Tree{}, int64(0)
	for _, e := range t.Files {
		// Each name of a path is compared.
		cost += int64(w.With(len(e.Path)) * (1 + strings.Count(e.Path, "/")))
		if err := source.Spent(p.path, w, cost); err != nil {
			return nil, &build.FileError{File: p.path, Err: err}
		}
		matches := m.Match(strings.Split(e.Path, "/"), e.IsDir())
		if matches != (len(p.include) > 0) && !(e.IsDir() && len(p.include) > 0) {
			continue
		}
		out.Files = append(out.Files, e)
		if !e.IsDir() {
			out.Stats.Files++
			out.Stats.Bytes += e.Size
		}
	}
	if out.Stats.Files == 0 {
		return nil, &build.FileError{File: p.path, Err: fmt.Errorf("%s leaves no file for the build; correct its include or exclude", p.path)}
	}
	return out, nil
}
