// Package apps has the commands about apps as a whole: they are created, renamed,
// locked and destroyed, cleanup removes their leftovers, and git:set chooses the
// branch that a push deploys.
package apps
