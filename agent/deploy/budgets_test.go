package deploy

import (
	"strings"
	"testing"

	"dokku/agent/app"
)

// TestNamesOfRefs: a push of HEAD to refs/replace/<HEAD> broke the repository for everybody, and
// names with bidirectional or invisible characters showed others in lists. Only branches, tags
// and what servers keep beside them are taken; whatever is there can be deleted.
func TestNamesOfRefs(t *testing.T) {
	const id = "3f2c1d9000000000000000000000000000000000"
	v := app.View{App: &app.App{Name: "shop", Dir: t.TempDir()}}
	for name, want := range map[string]string{
		"refs/heads/main":            "",
		"refs/heads/größe":           "",
		"refs/tags/v1":               "",
		"refs/notes/commits":         "",
		"refs/remotes/origin/main":   "",
		"refs/pull/1/head":           "",
		"refs/merge-requests/1/head": "",
		"refs/changes/01/1/1":        "",
		"refs/replace/" + id: "cannot accept refs/replace/" + id + ": of a push, this server takes what is in refs/heads/, refs/tags/, refs/notes/, refs/remotes/, " +
			"refs/pull/, refs/merge-requests/ and refs/changes/; push branches and tags alone: git push REMOTE --all, then git push REMOTE --tags",
		"refs/stash":             "cannot accept refs/stash: ",
		"refs/bisect/bad":        "cannot accept refs/bisect/bad: ",
		"refs/headsman":          "cannot accept refs/headsman: ",
		"refs/heads/a\u202eb":    `the name "refs/heads/a\u202eb" has characters that are not seen, or that change the order of others; push it under another name (git push REMOTE HEAD:NAME)`,
		"refs/heads/a\u200bb":    "the name ",
		"refs/tags/a\u0085b":     "the name ",
		"refs/heads/a\xff":       "the name ",
		"refs/heads/a\u2066main": "the name ",
	} {
		err := checkRefs(v, []Ref{{Name: name, Old: ZeroID, New: id}})
		if got := errorText(err); want == "" && err != nil || !strings.HasPrefix(got, want) || strings.HasPrefix(want, "cannot accept refs/replace") && got != want {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
		if err := checkRefs(v, []Ref{{Name: name, Old: id, New: ZeroID}}); err != nil {
			t.Errorf("%q cannot be deleted: %v", name, err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
