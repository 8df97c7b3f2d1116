// Package scale decides how many processes of which type an app runs, and
// with which commands. It reads the files that a repository ships (Procfile,
// DOKKU_SCALE, app.json) and weighs them against the local settings. It is
// pure: it knows neither Docker nor git, and reads no file by itself.
//
// # Read all, decide, then act
//
// Dokku 0.3.26 evaluated the counts of DOKKU_SCALE as shell arithmetic while it
// replaced containers, and died halfway on a bad line. Here every file is
// read to its end before anything is decided, all bad lines are reported at once,
// and each with its line, its text and what to write instead. Rejected: to skip
// bad lines with a warning. Who writes "web=two" did not mean "web=1", and a
// deploy that guesses is worse than one that asks.
//
// # Who wins
//
// A formation in app.json, then DOKKU_SCALE, then the local settings of
// ps:scale, then web=1 and everything else 0. The winner is complete: a type that
// the file leaves out does not run. Rejected: to merge the sources type by type,
// because nobody could then tell from the repository what runs. Local settings
// that lose are never changed, so that they count again once the repository stops
// shipping the file; each one that loses is named.
//
// A first deploy is not special: a type that nobody asked for is 0, web is 1, today
// and later. Nothing is written down that nobody asked for.
//
// # Comments and quotes in a Procfile
//
// A comment begins at # or // that starts a line or follows white space. Dokku
// looks for them inside quotes too, which leaves a quote open, so no command that
// worked is read differently here.
//
// # Commands
//
// A plain command is split and its variables are expanded here, so that images
// without a shell work. Anything that the image's shell might read differently
// goes to the image's /bin/sh unchanged: operators, redirections, globs,
// substitutions, assignments, builtins, and variables that the app's config does
// not have (the image may set them by ENV; to expand them to nothing here would be
// wrong). No command substitution is ever run on the host.
package scale
