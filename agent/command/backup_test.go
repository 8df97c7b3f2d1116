package command

import (
	"strings"
	"testing"
)

// TestBackupOfATerminal: bytes are not for a screen, and a client's file is not here.
func TestBackupOfATerminal(t *testing.T) {
	f := newFixture(t)
	f.terminal = true
	f.expect("backup", result{stderr: " !     Cannot write a backup to a terminal: use dokku backup > FILE, or dokku backup --output FILE\n", code: 1})
	f.terminal, f.user = false, "alice"
	f.expect("backup --output x", result{stderr: " !     Cannot write \"x\" over ssh, since it would be a file on the server: use > FILE\n", code: 1})
	f.expect("restore --input x", result{stderr: " !     Cannot read \"x\" over ssh, since it would be a file on the server: use < FILE\n", code: 1})
}

// TestBackupNamesWhatIsMissing: what an app has outside of its backup is named in
// one line.
func TestBackupNamesWhatIsMissing(t *testing.T) {
	f := newFixture(t)
	f.run("storage:mount", "fresh", "photos:/photos")
	f.run("storage:mount", "fresh", "thumbs:/thumbs:ro")
	got := f.run("backup", "fresh", "taken")
	if got.code != 0 || strings.Count(got.stderr, "Not in the backup") != 1 ||
		!strings.HasSuffix(got.stderr, " !     Not in the backup of fresh: the volume photos:/photos, the volume thumbs:/thumbs:ro\n") {
		t.Errorf("%d\n%s", got.code, got.stderr)
	}
}
