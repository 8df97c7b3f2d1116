// Package events has the commands about what happened on the server: events lists and
// follows it, events:on and events:off switch its record, and the noun notify tells others.
package events
