// Package admin has the commands about the server: its health, backups, and the SSH
// keys.
package admin
