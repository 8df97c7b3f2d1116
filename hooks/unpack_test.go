package hooks

import (
	"io"
	"testing"

	"dokku/agent/app"
)

// TestRefusal: git says in its own words why it took no pack; the pusher reads what to do.
func TestRefusal(t *testing.T) {
	for said, want := range map[string]string{
		"error: index-pack died of signal 24\n0053\x010024unpack index-pack abnormal exit\n": "cannot take this push to hello: git computed for it longer than it may (30m0s); " +
			"push a part of the history first, or run git repack -adF in your repository and push again",
		"fatal: fsck error in packed object\n0053\x010024unpack index-pack abnormal exit\n": "git could not read what was pushed; run git fsck in your repository and push again",
	} {
		out := &tail{to: io.Discard}
		io.WriteString(out, said)
		if err := out.refusal("hello", app.Settings{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
