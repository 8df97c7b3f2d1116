// Package cli turns a command line into a call of a command: global flags, the
// app, words and flags, help, completion, and the forms that many commands share:
// reports, properties, and errors with their exit codes.
//
// # Decisions
//
// A command is described by a Spec, whose usage line is the only source of its
// help and of the check of its words. A command line is checked whole before
// anything is done: the words against the usage line, the app, each value. Only
// then does a command call the agent; only the agent's operations write. A
// refused command line therefore leaves no trace, not even a lock file.
//
// A command line builds the one cobra command that it needs. Only help, completion
// and a word that is no command build the whole tree.
//
// Messages are the interface. Steps and warnings of operations go through
// event.Log, so that the host's log tells the same story; data (tables,
// reports, values) is written to stdout directly and never left out. Headings
// are left out with --quiet and without a terminal. Everything that an app has
// written is made printable before it is shown.
package cli
