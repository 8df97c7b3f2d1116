// Package notify posts events to the hooks of notify:add.
//
// It imports store, app, journal, remote, disk and event. Whoever records an event puts it into
// the queue (Queue.Add); the agent delivers (Deliverer); notify:test posts by itself (Post).
//
// # Decisions
//
// The queue is a folder for each hook with a file for each notification, so that a push, a
// command and the agent can all add to it without a lock, and a restart of the agent loses
// nothing. As the journal, it is written without a sync and never fails an operation: a
// loss of power may lose the notifications of the last seconds. Rejected: a cursor into the
// journal. Hooks would depend on events:off, and on how long the journal reaches back.
//
// Notifications are signed as Standard Webhooks wants it
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
// since libraries in all languages verify that: webhook-id, webhook-timestamp (Unix
// seconds) and webhook-signature, which is "v1," and the base64 of an HMAC-SHA256 over
// "ID.TIMESTAMP.BODY". A retry has the same id and body, and a timestamp and signature of
// its own.
//
// Each notification has its own retries, with growing pauses, for a day. Each hook has a
// goroutine of its own, and the least tried notification goes first. So a hook that is
// down or slow costs others nothing, and one notification that a receiver never accepts
// costs the next ones nothing. A queue has at most MaxPending notifications; more push out
// the oldest. What is given up is a warning in the host's log and an event.
//
// A redirect is a failure that names the new address: the receiver's may have moved, but a
// body with a signature is not sent where nobody asked for.
//
// Hooks that were added over ssh reach addresses of the public internet only. Otherwise a
// key could make the server post to its own loopback, to the engine or to its provider's
// metadata. The address is looked at when it is dialled (remote.DialPublic). Somebody on the
// server itself may add any address, and "private_hooks" in server.json allows it to keys.
package notify
