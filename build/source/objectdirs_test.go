package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSplitAlternates(t *testing.T) {
	for _, c := range []struct {
		list string
		want []string
	}{
		{"", nil},
		{"/a", []string{"/a"}},
		{"/a:/b::/c:", []string{"/a", "/b", "/c"}},
		{`"/a:b":/c`, []string{"/a:b", "/c"}},
		{`"/a\"\\\n\t\303\251":/c`, []string{"/a\"\\\n\té", "/c"}},
		{"#/a:/b", []string{"/b"}},
		// What does not parse as quoted is taken as it stands.
		{`"/a`, []string{`"/a`}},
		{`"/a\q"`, []string{`"/a\q"`}},
		{`"/a\777"`, []string{`"/a\777"`}},
		{`/a"b`, []string{`/a"b`}},
	} {
		if got := splitAlternates(c.list, ':'); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.list, got, c.want)
		}
	}
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`"/a:b":/c`, `"\303\251"`, `"\`, `"`, "/a:/b", `"a\"b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, dir := range splitAlternates(s, ':') {
			if dir == "" {
				t.Errorf("%q has an empty entry", s)
			}
		}
		if text, n, ok := unquote(s); ok && (n > len(s) || n < 2 || len(text) > n-2) {
			t.Errorf("%q: %q, %d", s, text, n)
		}
		if got, n, ok := unquote(quote(s)); !ok || got != s || n != len(quote(s)) {
			t.Errorf("%q does not survive quoting: %q", s, got)
		}
	})
}

// quote quotes as git's quote_c_style does.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || c > '~':
			b.WriteString(`\` + string([]byte{'0' + c>>6, '0' + c>>3&7, '0' + c&7}))
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

// TestObjectDirs: alternates of alternates count, five deep, and a circle ends.
func TestObjectDirs(t *testing.T) {
	root := t.TempDir()
	dir := func(name, alternates string) string {
		d := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Join(d, "info"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "info", "alternates"), []byte(alternates), 0o644); err != nil {
			t.Fatal(err)
		}
		return d
	}
	own := dir("repo/objects", "../../a1\n# comment\n/does/not/exist\n\""+filepath.Join(root, `q\"x`)+"\"\n")
	want := []string{dir("quarantine", ""), own}
	for i, next := range []string{"../a2", "../a3", "../a4", "../a5", "../a6", "../a1"} {
		d := dir("a"+string(rune('1'+i)), next+"\n")
		if i < alternateDepth {
			want = append(want, d)
		}
	}
	want = append(want, dir(`q"x`, "../repo/objects\n"))
	got, err := objectDirs(Options{GitDir: filepath.Join(root, "repo"), ObjectDir: want[0], Alternates: own})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n got %q\nwant %q", err, got, want)
	}
	if _, err := objectDirs(Options{GitDir: root}); err == nil || !strings.Contains(err.Error(), "is it a bare git repository?") {
		t.Errorf("no repository: %v", err)
	}
}
