// Package vaults makes the commands about kept backups: those of the server, and of whatever
// else has a [vault.Job]. The commands are the same for all, under names of their own.
//
// # Decisions
//
//   - The words and their order are those of Dokku's plugins for databases (backup-auth,
//     backup-schedule, backup-set-encryption), and a bucket's name alone is one in S3.
//     set-encryption takes public keys of age or ssh; anything else is a passphrase, as there.
//   - Over ssh, no folder of the server can be named, and no endpoint that only the server
//     reaches, unless private_hooks of server.json allows it: a key would reach more than ssh
//     gives it.
//   - Secrets can come on standard input, since a command line is seen by every process.
package vaults
