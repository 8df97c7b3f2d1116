package backup

import (
	"strings"
	"testing"
)

// TestSlugOf: two sources never share a folder of backups, since a restore would take the files
// of the other one.
func TestSlugOf(t *testing.T) {
	seen := map[string]string{}
	for _, source := range []string{"/a/b", "/a-b", "a-b", "/a/b-", "/a b", "/A/b", "/" + strings.Repeat("x", 300), "/" + strings.Repeat("x", 301), "/\u00e9"} {
		slug := slugOf(source)
		if other, taken := seen[slug]; taken || len(slug) > 80 || strings.ContainsAny(slug, "/ ") || strings.HasPrefix(slug, ".") {
			t.Errorf("%q is %q, as is %q", source, slug, other)
		}
		seen[slug] = source
	}
}
