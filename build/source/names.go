package source

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkName refuses a name that some file system or some tool on the way to
// the container would take for something else. receive.fsckObjects lets most
// of these pass.
func checkName(name string, limit int) error {
	switch {
	case name == "":
		return fmt.Errorf("a name is empty; commit the file under a name")
	case name == "." || name == "..":
		return fmt.Errorf("%q is not a name; rename it", name)
	case len(name) > limit:
		return fmt.Errorf("its name has %d bytes, more than %d; shorten it", len(name), limit)
	case strings.ContainsRune(name, '/'):
		return fmt.Errorf("the name %q has a slash; rename it", name)
	case strings.ContainsRune(name, '\\'):
		return fmt.Errorf("the name %q has a backslash; rename it", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("the name %s is not UTF-8; rename it", strconv.QuoteToASCII(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name %s has a control character; rename it", strconv.QuoteToASCII(name))
	case dotGit(name):
		return fmt.Errorf("%s is git's own folder to some file system; remove it from the repository", strconv.QuoteToASCII(name))
	}
	return nil
}

// dotGit reports whether some file system takes name for ".git": HFS+ ignores
// case and some characters, NTFS ignores case, trailing dots and spaces and
// what follows a colon, and has the short name git~1. The rules are git's
// is_hfs_dotgit and is_ntfs_dotgit.
func dotGit(name string) bool {
	if len(name) < len(".git") {
		return false
	}
	s := strings.ToLower(strings.Map(func(r rune) rune {
		if hfsIgnores(r) {
			return -1
		}
		return r
	}, name))
	s, _, _ = strings.Cut(s, ":")
	s = strings.TrimRight(s, ". ")
	return s == ".git" || s == "git~1"
}

// hfsIgnores lists the code points that HFS+ leaves out of comparisons.
func hfsIgnores(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e ||
		r >= 0x206a && r <= 0x206f || r == 0xfeff
}

// CheckName refuses the name of a file or folder with which a commit could not be
// deployed.
func CheckName(name string) error { return checkName(name, DefaultLimits.Name) }
