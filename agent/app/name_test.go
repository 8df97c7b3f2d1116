package app

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// FuzzValidName: the name of an app is one part of a path, of a host name and of an image's name,
// and what is said of any other does not reach a terminal as it came.
func FuzzValidName(f *testing.F) {
	for _, s := range []string{"hello", "a.b-c", "..", "a..b", "a/b", "A", "", "a.git", "a=b", "-a", "a\n", "a\x1b[2J", "\u202ea", "\u212a", strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := ValidName(name)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) || strings.Contains(err.Error(), "\u202e") {
				t.Errorf("the error has control characters: %q", err)
			}
			return
		}
		if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || filepath.Base(filepath.Join("/home/dokku", name)) != name ||
			filepath.Join("/home/dokku", name) != "/home/dokku/"+name || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
			t.Errorf("%q is valid", name)
		}
	})
}
