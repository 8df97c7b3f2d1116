// Package vault keeps backups: it makes them, proves them, finds them again and removes old
// ones. What is backed up comes as a [Source]: the server, a service, an app's volume. It
// imports remote, disk, event, text and scale.
//
// # Decisions
//
// A backup that nobody has restored may be none. So a backup counts as proven only when three
// things are true: the source said that its dump is complete; what it dumped was loaded again
// elsewhere (Source.Prove); and what the place gives back has the SHA-256 of what was sent.
// Dump, load and upload run at once, on one stream. Rejected: to load what was downloaded,
// because backups are encrypted to a public key, and the private key does not belong on this
// server; a copy on this server's disk, which may not have room for it.
//
// A load that fails does not cut the upload short: a dump that this server cannot load is
// better than none. It is recorded, told, and never pushes out one that was proven.
//
// Places have no index. A backup's name says what it is of and when it was made, and ends in
// random letters, since several servers may share a place. A server removes only backups that
// it made itself, and never the last proven one.
//
// The time of a schedule that was handled last is written before the backup begins, under a
// lock that the kernel releases with the process. So no time of a schedule has two backups, and a clock
// that is set back repeats none. What was due while the server was off is made up once, unlike
// a cron task: a late backup harms nobody. A failed one is tried again, with growing pauses.
//
// Two backups may be made at the same time, and each has a deadline that covers its proof. A
// program that hangs so keeps neither the others nor the next night's. What ignores the end of
// its context, such as a write to a folder of a file server that is gone, cannot be ended from
// inside the process; the doctor tells of it by the lock that it holds.
//
// Encryption is age's (https://age-encryption.org/v1): to public keys of age or ssh, or with a
// passphrase, which then has to be on this server. Everybody can decrypt with the program age.
//
// A part of an upload to S3 is held in memory, and S3 takes 10,000 parts. The parts are 8 MiB,
// or larger where the last backup says that it will not fit.
package vault
