// Package event writes one stream of zerolog events to several readers: the host's
// log (JSON, one event per step), the pusher's terminal (Dokku's line prefixes) and the
// log of the deploy (everything). It imports nothing of this module.
//
// # Decisions
//
// The pusher's lines come from the same events as the host's log, so the two cannot
// contradict each other. Lines that a build or an app prints are events too, at trace
// level, which the host's log leaves out.
package event
