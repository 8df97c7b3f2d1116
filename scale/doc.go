// Package scale decides the number of processes of each type that an app runs, and their
// commands. It reads the files that a repository ships (Procfile, DOKKU_SCALE, app.json)
// and combines them with the local settings. It is pure: it gets the contents of the
// files, and imports neither Docker, git nor any other package of this module.
//
// # Read all, decide, then act
//
// Dokku 0.3.26 evaluated the counts of DOKKU_SCALE as shell arithmetic while it replaced
// containers, and failed halfway on a bad line. Here each file is read to its end before
// any decision, and all bad lines are reported at once, each with its line number, its
// text and the correct form. Rejected: skipping bad lines with a warning. The author of
// "web=two" did not mean "web=1", and a deploy that guesses is worse than an error.
//
// # Precedence
//
// A formation in app.json wins, then DOKKU_SCALE, then the local settings of ps:scale,
// then the default: web=1, all other types 0. The winner is complete: a type that the
// file leaves out does not run. Rejected: merging the sources by type, since the
// repository would no longer show the formation. Overridden local settings are named in
// the push and never changed, so that they apply again once the repository stops
// shipping the file.
//
// A first deploy follows the same rule: without a count, web runs 1 and every other type
// 0, today and later. Defaults are never stored.
//
// # Comments and quotes in a Procfile
//
// A comment begins with # or // at the start of a line or after white space. Dokku also
// finds comments inside quotes, which leaves a quote open, so a command that works in
// Dokku reads the same here.
//
// # Commands
//
// A plain command is split and its variables are expanded here, so that images without a
// shell work. A command that the image's shell might read differently goes to the
// image's /bin/sh unchanged: one with operators, redirections, globs, substitutions,
// assignments or builtins, or with variables that the app's config does not have (the
// image's ENV may set them, so expanding them to nothing would be wrong). No command
// substitution ever runs on the host.
package scale
