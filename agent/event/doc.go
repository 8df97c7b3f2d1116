// Package event turns what happens into one stream of zerolog events with
// several readers: the host's log (JSON, one event per step), the pusher's
// terminal (Dokku's line prefixes) and the log of the deploy (everything).
//
// The pusher's lines are written from the same events as the host's log, so
// that the two can never tell different stories. Lines that a build or an app
// prints are events too, at trace level, which the host's log leaves out.
package event
