// Package admin has the commands about the server: doctor, backup and restore, and the
// ssh keys.
//
// # Decisions
//
// ssh-keys:remove of a key that is not there warns and succeeds, as in Dokku: scripts that
// clean up run it again. ssh-keys:list of such a name prints nothing and exits with 1.
package admin
