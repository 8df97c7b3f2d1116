// Package keys manages the SSH keys that may push and run commands: the lines
// of authorized_keys, and the command that sshd must run for each key. It imports
// package disk and nothing else of this module, so that hooks, the doctor and backups
// can all use it.
//
// # Decisions
//
// authorized_keys is the only record of the keys. A second list could
// contradict the file that sshd reads. Lines that this package did not write
// stay as they are: an administrator may have keys of their own there. An update
// replaces the file with one rename, under a lock on its folder, so that sshd
// never reads half of it and two updates never lose a key.
//
// The forced command names the root and the program by absolute path, quoted for
// the login shell that sshd starts. ForcedCommand is its only definition: add
// writes it, and the doctor compares with it (Inspect).
//
// An export has a name and a public key a line, without the options of
// authorized_keys: the importing server writes its own forced command.
package keys
