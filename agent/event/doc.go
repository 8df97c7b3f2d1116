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
//
// Colours are the terminal's alone, and so are signs of life: no log has either. A line's
// style decides its colour, never its text, and a colour never says more than the text:
// without its escape sequences a coloured line is the plain one, byte for byte. Screen and
// Coloured are the only place that decides whether a reader sees colours: a terminal, and
// the variables NO_COLOR, CLICOLOR_FORCE, FORCE_COLOR, CLICOLOR and TERM. Over ssh -t the
// server's process has a terminal of its own, so nothing else needs to be known. Rejected:
// to colour lines by their prefix in a writer, since data may begin like a heading.
//
// What a build or an app prints may style its text where colours are on. It never moves
// the cursor, erases or hides: a pusher who reads it is not always its writer. Of a line
// that was drawn over itself (a progress bar) the last state stays.
//
// A sign of life comes from the terminal, which knows when it was silent, and its text
// from whoever is Busy. Rejected: a timer at each place that may take long, since several
// of them run side by side and each would print. The builders, which know no events, keep
// the same times for their steps.
package event
