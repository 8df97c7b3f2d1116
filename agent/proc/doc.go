// Package proc knows processes: the user and the signals of this one, the git
// receive-pack above it, and what /proc tells about others and about the network. It
// imports package disk and nothing else of this module.
//
// # Decisions
//
// A command runs as the owner of DOKKU_ROOT. Root gives up its rights at once, so
// that no file ever belongs to another user. Other users are refused. A command that needs
// root's rights longer, for a file of root's or a service, uses what is below DOKKU_ROOT with its
// owner's rights ([AsOwner]): the owner may put links there.
//
// A signal cancels a command's context, so that the command cleans up; a second
// signal ends it at once. If the reader of its output goes away, the command is
// cancelled too: a command that waits for output would otherwise outlive its client.
//
// A process is identified by boot id, number and start time ([Owner]). The number
// alone is not enough, because the kernel reuses it. To signal a process, use a pidfd
// and check the identity after opening it, so that the signal never reaches a
// later process with the same number.
package proc
