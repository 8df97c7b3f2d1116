// Package proc is about processes: whose rights they have, which signals end
// them, and what terminal they may be told of.
//
// # Decisions
//
// A command runs as the owner of DOKKU_ROOT: root gives its rights up at once, so
// that no file ever belongs to another user. Any other user is refused.
//
// A command ends early for a signal or when nobody reads its output any longer:
// a command that waits for output would otherwise outlive its client. It ends by
// its context, so that it cleans up; a second signal ends it at once.
package proc
