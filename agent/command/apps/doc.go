// Package apps has the commands about apps as a whole: apps:* creates, renames, locks
// and destroys them, cleanup removes their leftovers, and git:set chooses the branch that
// a push deploys.
//
// # Decisions
//
//   - Without a deploy branch, a report says what code without a branch would get: master, as
//     in Dokku. It was main, which was no less a guess, and clients compare it. The first push
//     of main or master still decides.
//   - apps:set APP deploy-source holds until the next release: a release knows where it is
//     from, and a tool that deploys by other means may say so of its own.
//   - git:set APP rev-env-var without a value leaves the variable out, as in Dokku, and its
//     default comes back by name. A stored "" is the default, as in files of older versions.
//   - source-image is what the app is deployed from as an image. As in Dokku, a value that is
//     set deploys nothing: it is reported until the next release, which knows its own origin.
package apps
