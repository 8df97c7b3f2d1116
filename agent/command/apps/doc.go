// Package apps has the commands about apps as a whole: apps:* creates, renames, locks
// and destroys them, cleanup removes their leftovers, and git:set chooses the branch that
// a push deploys.
package apps
