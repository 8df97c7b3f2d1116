package command

import (
	"strings"
	"testing"

	"dokku/agent/vault/vaulttest"
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

// TestKeptBackupsOverSSH: a key names no folder or role of the server, and no address that
// only the server reaches.
func TestKeptBackupsOverSSH(t *testing.T) {
	f := newFixture(t)
	f.user = "alice"
	f.expect("backup:run /var/backups", result{stderr: " !     Cannot name the folder \"/var/backups\" over ssh, since it would be one of the server: " +
		"name a bucket, or run the command on the server\n", code: 1})
	f.expect("backup:get --identity key", result{stderr: " !     Cannot read \"key\" over ssh, since it would be a file on the server: use --identity - < FILE\n", code: 1})
	f.expect("backup:auth --use-iam", result{stderr: " !     Cannot use the role of the server over ssh: run the command on the server, or backup:auth takes a key\n", code: 1})
	url, end, err := vaulttest.S3(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	f.run("backup:auth", vaulttest.Key, vaulttest.Secret, "us-east-1", "s3v4", url)
	if got := f.run("backup:run", "backups"); got.code != 1 || !strings.Contains(got.stderr, "its address 127.0.0.1 is not one of the public internet") {
		t.Errorf("a loopback address: %d\n%s", got.code, got.stderr)
	}
	// What somebody on the server allows, a key may use.
	f.user = ""
	f.run("backup:auth", vaulttest.Key, vaulttest.Secret, "us-east-1", "s3v4", url)
	f.user = "alice"
	if got := f.run("backup:run", "backups"); got.code != 0 || !strings.Contains(got.stdout, "proven") {
		t.Errorf("%d\n%s\n%s", got.code, got.stdout, got.stderr)
	}
	f.user, f.terminal = "", true
	f.expect("backup:get", result{stderr: " !     Cannot write a backup to a terminal: use > FILE\n", code: 1})
}
