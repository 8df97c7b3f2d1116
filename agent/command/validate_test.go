package command

import "testing"

// TestValidateOverSSH: a key reads no folder of the server.
func TestValidateOverSSH(t *testing.T) {
	f := newFixture(t)
	f.user = "laptop"
	f.expect("validate /etc", fails(1, " !     Cannot validate over ssh, since it would read a folder of the server: run it where the files are, or git push -o plan\n"))
}
