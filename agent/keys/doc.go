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
// What a key may do are the words after its name in the forced command (Grant), so sshd itself hands them over
// with the key. No pusher can write this file, and no variable or word of a client reaches these words. Rejected: a file
// of rights beside authorized_keys, since a key whose entry is missing there would have to be an admin's, as all keys
// were before; lists of names in the state of each app, since who may use an app has to stand where a first push has not made the
// app yet, and since a restored app would bring its own list. A line without words is an admin's, which also keeps lines of
// earlier versions; words that this version does not know give nothing. An earlier version refuses a line with words.
//
// sshd's own expiry-time is not used: it would refuse the key as if it were unknown, and nobody could tell why.
//
// acl:add names keys that may not be there yet, as in Dokku's plugin. What waits for them is a comment in
// authorized_keys. An app that is renamed takes its keys along, one that is destroyed is taken off
// them, and a clone has none: whoever may use an app need not use a copy with its config. All this follows the
// operation: of a command that is killed in between, a key names an app that is not there, which gives nothing.
//
// An export has a name, the rights unless they are an admin's, and a public key a line, without the options of
// authorized_keys: the importing server writes its own forced command. A version without roles refuses a line with rights,
// where it would make the key an admin's. Over ssh an import adds no key: the archive decides nothing about whose keys a server has.
package keys
