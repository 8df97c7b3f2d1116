package source

import (
	"fmt"
	"path"
	"strings"
)

// maxAttributes is the size in bytes of the largest .gitattributes.
const maxAttributes = 64 << 10

// An attributeLine is a line of a .gitattributes that says something about the attribute
// filter. go-git's own parser and matcher are not used: they panic at patterns with **, and
// a lower line does not win there.
type attributeLine struct {
	pattern string // "": a macro
	name    string // of a macro
	words   []string
}

// tracked reports whether .gitattributes, of any folder around a file, gives the file to
// LFS (gitattributes(5)): the last line that matches in the nearest folder decides.
func (s *Source) tracked(at place) (bool, error) {
	root, err := s.attributes(at.repo, "")
	if err != nil {
		return false, err
	}
	macros := map[string]string{} // only the root has them
	for _, line := range root {
		if value, ok := line.filter(nil); ok && line.pattern == "" {
			macros[line.name] = value
		}
	}
	for dir := path.Dir(at.dir); ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		lines, err := s.attributes(at.repo, dir)
		if err != nil {
			return false, err
		}
		if err := s.spend(fileAttributes, len(lines)); err != nil {
			return false, err
		}
		below := strings.TrimPrefix(strings.TrimPrefix(at.dir, dir), "/")
		for i := len(lines) - 1; i >= 0; i-- {
			if value, ok := lines[i].filter(macros); ok && matchesAttribute(lines[i].pattern, below) {
				return value == "lfs", nil
			}
		}
		if dir == "" {
			return false, nil
		}
	}
}

// filter returns the value that a line gives to the attribute filter: the last one.
func (l attributeLine) filter(macros map[string]string) (value string, ok bool) {
	for _, word := range l.words {
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

// attributes are the lines of a folder's .gitattributes, which is read once.
func (s *Source) attributes(r *repository, dir string) ([]attributeLine, error) {
	if lines, known := r.attributes[dir]; known {
		return lines, nil
	}
	text, err := s.plainFile(r, join(dir, fileAttributes), maxAttributes)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", printable(join(join(r.path, dir), fileAttributes)), err)
	}
	if r.attributes == nil {
		r.attributes = map[string][]attributeLine{}
	}
	r.attributes[dir] = parseAttributes(string(text))
	return r.attributes[dir], nil
}

func parseAttributes(text string) (lines []attributeLine) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "[attr]"); ok {
			if words := strings.Fields(name); len(words) > 0 {
				lines = append(lines, attributeLine{name: words[0], words: words[1:]})
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
			lines = append(lines, attributeLine{pattern: pattern, words: strings.Fields(rest)})
		}
	}
	return lines
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
