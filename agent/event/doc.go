// Package event writes one stream of zerolog events to several readers: the host's
// log (JSON, one event per step), the pusher's terminal (Dokku's line prefixes) and the
// log of the deploy (everything). It imports nothing of this module.
//
// # Decisions
//
// The pusher's lines come from the same events as the host's log, so the two cannot
// contradict each other. Lines that a build or an app prints are events too, at trace
// level, which the host's log leaves out.
//
// A hint in a message is the command as a person types it on the server: "dokku ps:start
// hello". Hints turns it into "ssh dokku@HOST ps:start hello" for a reader who came over
// ssh, at the one place where a message meets its reader: a Terminal, or the errors that
// a command prints. The logs keep the form of the server, since anyone may read them
// later. Rejected: a mark around each hint in the texts, which two dozen packages would
// have to know of.
package event
