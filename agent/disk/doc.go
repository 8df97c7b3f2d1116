// Package disk changes files so that a completed operation survives a power loss, and
// locks files. It imports nothing of this module.
//
// Without an fsync of the file before a rename, the new name may be empty after a power
// loss. Without an fsync of the folder after it, the rename may be lost. A test that
// only reads the files does not notice either. So all durable changes go through
// [Disk], which a test can watch: it records each operation with its content, and plays
// back the states that a disk may be in after a power loss.
//
// # Decisions
//
//   - renameio was given up, because a test cannot watch where it syncs.
//   - An interface with a real and a recording implementation was rejected. The test
//     would see the requested operations, not those that were carried out; here the
//     same code carries them out with and without a watcher.
//   - Files whose loss does no harm do not go through [Disk]: logs, locks, and removals
//     that the next sweep would repeat.
//   - Locks are flock(2) on files ([TryLock], [WaitLock]): the kernel releases them when
//     their holder ends. gofrs/flock was rejected: it locks only files that it opened
//     itself, and our lock files contain a note, or are folders.
package disk
