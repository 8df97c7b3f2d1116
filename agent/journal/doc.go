// Package journal keeps the server's events: what dokku did by itself, and what people
// did. The command events shows them, and notifications are made from them.
//
// It imports disk and event only, so that every layer can record an event.
//
// # Decisions
//
// Events have a file of their own, one JSON object a line. Rejected: to read them from the
// host's log. That has every step of every deploy in words that may change, does not say
// who asked, and is rotated by the host, in a form that a command would have to follow.
//
// The file is a record, never a source of truth. Nothing is synced, and a failed write is
// ignored: an event may be lost with the power, but none delays or fails an operation.
// Processes append without waiting for each other. An event is one write of at most a few
// kilobytes, which the kernel keeps in one piece.
//
// A file that reaches Limit is renamed to end in .1, in the place of the one before. So
// events take at most two times Limit on the disk: some ten thousand of them. The host's
// logrotate has no part in it, because a server without it must not fill its disk.
//
// Events are recorded unless events:off says otherwise. (Dokku's are off until events:on.)
// Whoever needs them at three in the morning did not plan for it.
package journal
