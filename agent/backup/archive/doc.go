// Package backup reads and writes the file of dokku backup: a tar, compressed by
// gzip, that any tar lists and unpacks. It knows files and checksums; what an app
// is, package agent knows.
//
// The first member is manifest.json: the format's version, who made the file and
// when, the apps, and name, size and SHA-256 of every other member, which follow in
// that order. So a reader knows at once what is to come, refuses anything else, and
// finds a file that ends early or was damaged. The checksums are no signature: who
// can write the file can write its checksums. To restore a backup is to trust whoever
// kept it, as with any that has ssh keys and hooks' configuration in it.
//
// # Decisions
//
//   - Repositories are the files of the bare repository, and no bundle. A bundle has
//     what the refs reach and nothing else: not the boundary of a shallow push, which
//     CI services make by default and without which its history cannot be read; not
//     the log of refs, nor what kept releases were built from after a force push; not
//     the repository's configuration. They are copied while git may write: refs first
//     and objects last, loose refs before packed ones. Objects are only ever added
//     (packing takes the app's lock, which the copy holds), so that all a copied ref
//     names is there. Objects never change, so they are linked, which takes no time
//     and no room. git fsck reads the copy before it counts.
//   - Everything is gathered in a folder of the root before the first byte is written:
//     whoever reads slowly holds no app's lock, and a backup that fails leaves nothing
//     that looks like one.
//   - Members are regular files. There are no folders, links or modes to abuse: a
//     reader makes each file itself, new, in a folder of its own.
//   - gzip, and its fastest level: most of it are git's objects, which are compressed
//     already, and any machine can read it.
package archive
