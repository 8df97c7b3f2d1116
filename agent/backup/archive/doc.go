// Package archive reads and writes the file of a backup: a tar, compressed with gzip,
// which any tar lists and unpacks. It knows files and checksums; package backup knows
// apps. It imports nothing of this module.
//
// The first member is manifest.json: the format's version, the program and time of the
// backup, the apps, and name, size and SHA-256 of every other member. These follow
// in that order. So a reader knows what comes next, refuses anything else, and notices a
// truncated or damaged file. The checksums are no signature: anyone who can write the file can
// write its checksums. When you restore a backup, you trust everyone who had access to it,
// because it contains ssh keys and the configuration of repositories.
//
// # Decisions
//
//   - Repositories are copied as files, not as a git bundle. A bundle contains only
//     objects that the refs reach. It lacks the boundary of a shallow push, the default of
//     CI services, without which git cannot read the history; the log of refs; the
//     commits of kept releases after a force push; and the repository's configuration.
//     Git may write during the copy, so refs come first and objects last, and loose
//     refs before packed ones. Git only adds objects (packing takes the app's lock, which
//     the copy holds), so all objects of a copied ref are there. Objects never change, so
//     they are linked, which takes no time and no space. git fsck checks the copy.
//   - Everything is gathered in a staging folder before the first byte is written. So a
//     slow reader holds no app's lock, and a failed backup leaves nothing that looks like
//     a backup.
//   - Members are regular files. There are no folders, links or modes to abuse: a reader
//     creates each file itself, in a new folder of its own.
//   - gzip at its fastest level: most of the data are git's objects, which are compressed
//     already, and any machine can read gzip.
package archive
