package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Options are the places of the objects of a push.
type Options struct {
	// GitDir is the bare repository.
	GitDir string
	// ObjectDir is GIT_OBJECT_DIRECTORY as git gives it to a pre-receive hook:
	// the quarantine. "" means GitDir's own objects.
	ObjectDir string
	// Alternates is GIT_ALTERNATE_OBJECT_DIRECTORIES, quoted as git quotes it.
	Alternates string
	// Dockerfile is the path of the app's Dockerfile, whose .dockerignore wins over the
	// one in the root. "" means Dockerfile.
	Dockerfile string
	// Remotes fetches submodules; nil: a revision with one is refused.
	Remotes Remotes
}

// OptionsFromEnv takes the object directories from a hook's environment.
func OptionsFromEnv(gitDir string, getenv func(string) string) Options {
	return Options{
		GitDir:     gitDir,
		ObjectDir:  getenv("GIT_OBJECT_DIRECTORY"),
		Alternates: getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
	}
}

// gitDir returns the repository's path, for a git that runs anywhere.
func gitDir(o Options) string {
	dir, err := filepath.Abs(o.GitDir)
	if err != nil {
		return o.GitDir
	}
	return dir
}

// alternateDepth is how deep git follows info/alternates.
const alternateDepth = 5

// objectDirs returns every folder that holds objects of the push, the
// quarantine first. Folders that do not exist are left out, as git does.
func objectDirs(o Options) ([]string, error) {
	own, err := filepath.Abs(filepath.Join(o.GitDir, "objects"))
	if err != nil {
		return nil, fmt.Errorf("cannot find the repository %s: %w", o.GitDir, err)
	}
	c := collector{seen: map[string]bool{}}
	if o.ObjectDir != "" {
		c.add(o.ObjectDir, 0)
	}
	for _, dir := range splitAlternates(o.Alternates, ':') {
		c.add(dir, 0)
	}
	c.add(own, 0)
	if c.err != nil {
		return nil, c.err
	}
	if len(c.dirs) == 0 {
		return nil, fmt.Errorf("cannot read %s: it has no objects folder; is it a bare git repository?", o.GitDir)
	}
	return c.dirs, nil
}

type collector struct {
	dirs []string
	seen map[string]bool
	err  error
}

func (c *collector) add(dir string, depth int) {
	if c.err != nil {
		return
	}
	dir, err := filepath.Abs(dir)
	if err != nil || c.seen[dir] {
		return
	}
	c.seen[dir] = true
	info, err := os.Stat(dir)
	if os.IsNotExist(err) || err == nil && !info.IsDir() {
		return
	}
	if err != nil {
		c.err = fmt.Errorf("cannot read the objects in %s: %w", dir, err)
		return
	}
	c.dirs = append(c.dirs, dir)
	if depth >= alternateDepth {
		return
	}
	text, err := os.ReadFile(filepath.Join(dir, "info", "alternates"))
	if err != nil {
		return
	}
	for _, alt := range splitAlternates(string(text), '\n') {
		if !filepath.IsAbs(alt) {
			alt = filepath.Join(dir, alt)
		}
		c.add(alt, depth+1)
	}
}

// splitAlternates splits a list of folders as git's parse_alt_odb_entry does:
// an entry that starts with # is a comment, one in double quotes is unquoted
// like a C string (a path with a colon is quoted), and one whose quotes do not
// parse is taken as it stands.
func splitAlternates(list string, sep byte) []string {
	var dirs []string
	for list != "" {
		var entry string
		comment := list[0] == '#'
		if text, n, ok := unquote(list); ok && (n == len(list) || list[n] == sep) {
			entry, list = text, list[n:]
		} else {
			n := strings.IndexByte(list, sep)
			if n < 0 {
				n = len(list)
			}
			entry, list = list[:n], list[n:]
		}
		list = strings.TrimPrefix(list, string(sep))
		if entry != "" && !comment {
			dirs = append(dirs, entry)
		}
	}
	return dirs
}

// unquote reads a C-style quoted string at the start of s and returns its text
// and its length in s, quotes included.
func unquote(s string) (text string, n int, ok bool) {
	if s == "" || s[0] != '"' {
		return "", 0, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i + 1, true
		case '\\':
			c, used := unescape(s[i+1:])
			if used == 0 {
				return "", 0, false
			}
			b.WriteByte(c)
			i += used
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, false
}

// unescape reads what follows a backslash; used is 0 when it is no escape.
func unescape(s string) (c byte, used int) {
	if s == "" {
		return 0, 0
	}
	if i := strings.IndexByte(`abfnrtv\"`, s[0]); i >= 0 {
		return "\a\b\f\n\r\t\v\\\""[i], 1
	}
	if len(s) < 3 || s[0] > '3' {
		return 0, 0
	}
	for i := range 3 {
		if s[i] < '0' || s[i] > '7' {
			return 0, 0
		}
		c = c<<3 | (s[i] - '0')
	}
	return c, 3
}
