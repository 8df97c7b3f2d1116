// Package admin has the commands about the server: doctor, backup and restore, and the
// ssh keys.
package admin
