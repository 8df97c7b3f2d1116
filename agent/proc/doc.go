// Package proc sets up a process: the user that it runs as, the signals that end
// it, and the terminal type that it may pass on.
//
// # Decisions
//
// A command runs as the owner of DOKKU_ROOT: root gives its rights up at once, so
// that no file ever belongs to another user. Any other user is refused.
//
// A signal cancels a command's context, so that the command cleans up; a second
// signal ends it at once. The end of the reader of its output cancels it too: a
// command that waits for output would otherwise outlive its client.
package proc
