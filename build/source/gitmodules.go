package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/config"
)

// fileModules is the file that says where submodules come from, in the root of their
// repository.
const fileModules = ".gitmodules"

// maxGitModules is the size in bytes of the largest .gitmodules.
const maxGitModules = 64 << 10

// gitModules are the URLs of a repository's submodules, by path.
type gitModules map[string]gitModule

type gitModule struct {
	name, url string
	line      int // of the URL; of the submodule's heading if it has none
}

// modulesOf reads the .gitmodules of a repository, once. A repository without one has no
// URLs.
func (s *Source) modulesOf(r *repository) (gitModules, error) {
	if r.modules != nil {
		return r.modules, nil
	}
	b, err := s.store.get(r.tree, plumbing.TreeObject, maxTree)
	if err != nil {
		return nil, err
	}
	for e, err := range gitEntries(b) {
		if err != nil {
			return nil, err
		}
		if e.name != fileModules {
			continue
		}
		if e.kind() != modeFile { // as in git, which does not follow a link either
			return nil, fmt.Errorf("%s is not a file (mode %06o); commit a plain file", r.file(), e.mode)
		}
		text, err := s.store.get(e.hash, plumbing.BlobObject, maxGitModules)
		if err == nil {
			r.modules, err = parseModules(string(text))
		}
		if err != nil {
			return nil, fmt.Errorf("cannot use %s: %w", r.file(), err)
		}
		return r.modules, nil
	}
	r.modules = gitModules{}
	return r.modules, nil
}

// parseModules reads a .gitmodules. Other keys than path and url are ignored: whether and
// how a clone updates a submodule (update, branch, ignore) says nothing about its commit.
func parseModules(text string) (gitModules, error) {
	c := config.New()
	if err := config.NewDecoder(bytes.NewReader([]byte(text))).Decode(c); err != nil {
		return nil, fmt.Errorf("line %w; correct it", err)
	}
	list, lines := gitModules{}, moduleLines(text)
	for _, sub := range c.Section("submodule").Subsections {
		m := gitModule{name: sub.Name, url: sub.Option("url")}
		fail := func(key string, err error) error {
			return fmt.Errorf("line %d: the submodule %s: %w", lineOf(lines, m.name, key), printable(m.name), err)
		}
		if err := checkModuleName(m.name); err != nil {
			return nil, fail("", err)
		}
		for _, key := range []string{"url", "path"} {
			if values := sub.OptionAll(key); len(values) > 1 && values[0] != values[len(values)-1] {
				return nil, fail(key, fmt.Errorf("it has the %s %s and %s; remove one", key, printable(values[0]), printable(values[len(values)-1])))
			}
		}
		at := strings.TrimSuffix(sub.Option("path"), "/")
		if at == "" {
			continue
		}
		if path.Clean(at) != at || path.IsAbs(at) || at == "." || at == ".." || strings.HasPrefix(at, "../") {
			return nil, fail("path", fmt.Errorf("its path is %s, which is no path in the repository; correct it", printable(at)))
		}
		m.line = lineOf(lines, m.name, "url")
		if other, twice := list[at]; twice && other.url != m.url {
			return nil, fail("path", fmt.Errorf("its path %s is that of the submodule %s too; remove one", printable(at), printable(other.name)))
		}
		list[at] = m
	}
	return list, nil
}

// checkModuleName refuses what git refuses: a client makes a folder of this name.
func checkModuleName(name string) error {
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == ".." {
			return errors.New("its name has .. in it; rename it")
		}
	}
	return nil
}

var (
	moduleHeading = regexp.MustCompile(`^\s*\[\s*(?i:submodule)\s+"((?:[^"\\]|\\.)*)"\s*\](.*)$`)
	anyHeading    = regexp.MustCompile(`^\s*\[`)
	escaped       = regexp.MustCompile(`\\(.)`)
)

// A moduleKey is a key of a submodule, in lower case; "": its heading.
type moduleKey struct{ name, key string }

// moduleEntry matches a line with a key.
var moduleEntry = regexp.MustCompile(`^\s*([A-Za-z][A-Za-z0-9-]*)\s*=`)

// moduleLines returns the numbers of the lines of all headings and keys: the first of several
// keys, the last of several headings. The parser keeps no lines.
func moduleLines(text string) map[moduleKey]int {
	at := map[moduleKey]int{}
	number, name, inside := 0, "", false
	for line := range strings.Lines(text) {
		number++
		if m := moduleHeading.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			name, inside, line = escaped.ReplaceAllString(m[1], "$1"), true, m[2]
			at[moduleKey{name, ""}] = number
		} else if anyHeading.MatchString(line) {
			inside = false
		}
		if m := moduleEntry.FindStringSubmatch(line); m != nil && inside {
			if key := (moduleKey{name, strings.ToLower(m[1])}); at[key] == 0 {
				at[key] = number
			}
		}
	}
	return at
}

// lineOf returns the number of the line on which a submodule has a key, or else of its
// heading.
func lineOf(at map[moduleKey]int, name, key string) int {
	return cmp.Or(at[moduleKey{name, key}], at[moduleKey{name, ""}], 1)
}
