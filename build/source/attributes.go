package source

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxAttributes is the size in bytes of the largest .gitattributes.
const maxAttributes = 64 << 10

// An attributeLine is a line of a .gitattributes that says something about the attribute
// filter. go-git's own parser and matcher are not used: they panic at patterns with **, and
// a lower line does not win there.
type attributeLine struct {
	pattern string
	value   string // of filter
}

// tracked reports whether .gitattributes, of any folder around a file, gives the file to
// LFS (gitattributes(5)): the last line that matches in the nearest folder decides.
func (s *Source) tracked(at place) (bool, error) {
	for dir := path.Dir(at.dir); ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		lines, err := s.attributes(at.repo, dir)
		if err != nil {
			return false, err
		}
		if err := s.spend(fileAttributes, lines.weight, len(at.dir), 1); err != nil {
			return false, err
		}
		below := strings.TrimPrefix(strings.TrimPrefix(at.dir, dir), "/")
		for _, line := range slices.Backward(lines.lines) {
			if matchesAttribute(line.pattern, below) {
				return line.value == "lfs", nil
			}
		}
		if dir == "" {
			return false, nil
		}
	}
}

// filterOf returns the value that the words of a line give to the attribute filter: the last one.
func filterOf(words []string, macros map[string]string) (value string, ok bool) {
	for _, word := range words {
		switch name, text, _ := strings.Cut(word, "="); {
		case name == "filter" || name == "-filter" || name == "!filter":
			value, ok = text, true
		default:
			if text, is := macros[word]; is {
				value, ok = text, true
			}
		}
	}
	return value, ok
}

// attributeFile is what a .gitattributes says about the attribute filter.
type attributeFile struct {
	lines  []attributeLine
	weight Weight
	macros map[string]string // those that it defines, which count in the root alone
}

// attributes reads a folder's .gitattributes once.
func (s *Source) attributes(r *repository, dir string) (f attributeFile, err error) {
	if f, known := r.attributes[dir]; known {
		return f, nil
	}
	var root attributeFile
	if dir != "" {
		if root, err = s.attributes(r, ""); err != nil {
			return f, err
		}
	}
	text, err := s.plainFile(r, join(dir, fileAttributes), maxAttributes)
	if err != nil {
		return f, fmt.Errorf("cannot read %s: %w", printable(join(join(r.path, dir), fileAttributes)), err)
	}
	name := printable(join(join(r.path, dir), fileAttributes))
	if err := shortPatterns(name, text); err != nil {
		return f, err
	}
	if r.attributes == nil {
		r.attributes = map[string]attributeFile{}
	}
	r.attributes[dir] = parseAttributes(string(text), root.macros)
	return r.attributes[dir], nil
}

// parseAttributes reads the lines of a .gitattributes, with the macros of the root; nil: it is the root's.
func parseAttributes(text string, macros map[string]string) attributeFile {
	f := attributeFile{macros: map[string]string{}}
	rules := map[int][]string{} // the words of each line with a pattern
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "[attr]"); ok {
			if words := strings.Fields(name); len(words) > 0 {
				if value, ok := filterOf(words[1:], nil); ok {
					f.macros[words[0]] = value
				}
			}
			continue
		}
		pattern, rest := line, ""
		if unquoted, n, ok := unquote(line); ok {
			pattern, rest = unquoted, line[n:]
		} else if i := strings.IndexAny(line, " \t"); i >= 0 {
			pattern, rest = line[:i], line[i:]
		}
		if pattern != "" && pattern[0] != '!' { // git forbids negative patterns
			rules[len(f.lines)] = strings.Fields(rest)
			f.lines = append(f.lines, attributeLine{pattern: pattern})
		}
	}
	if macros == nil {
		macros = f.macros
	}
	// Each file is compared with the lines that say something alone, and never with their words.
	var patterns []string
	said := f.lines[:0]
	for i, line := range f.lines {
		if value, ok := filterOf(rules[i], macros); ok {
			said, patterns = append(said, attributeLine{line.pattern, value}), append(patterns, line.pattern)
		}
	}
	f.lines, f.weight = said, Weigh(patterns...)
	return f
}

// matchesAttribute reports whether a pattern matches a path, both relative to the folder of
// the .gitattributes. A pattern without a slash is one for the name alone.
func matchesAttribute(pattern, name string) bool {
	switch {
	case pattern == "" || strings.HasSuffix(pattern, "/"): // a folder, and not what is in it
		return false
	case !strings.Contains(pattern, "/"):
		return matchesName(pattern, path.Base(name))
	}
	return matchesPath(strings.Split(strings.TrimPrefix(pattern, "/"), "/"), strings.Split(name, "/"))
}

// matchesPath matches name by name. "**" stands for any number of folders, at the end for
// everything in a folder. Only the last "**" is tried again, as for a star in a name: a
// hostile pattern takes no longer than its length times the path's.
func matchesPath(pattern, names []string) bool {
	star, from := -1, 0
	p, n := 0, 0
	for n < len(names) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			if p == len(pattern)-1 {
				return true
			}
			star, from = p, n
			p++
		case p < len(pattern) && matchesName(pattern[p], names[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return p == len(pattern)
}

// matchesName matches a single name. A pattern that is none matches nothing.
func matchesName(pattern, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "[!", "[^"), name)
	return ok && err == nil
}
