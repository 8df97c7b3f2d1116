// Package command holds the noun:verb commands: what a person types on the
// host ("dokku ps:scale app web=2") and over ssh ("ssh dokku@host ps:scale app
// web=2"). Both go through Execute, in process: it neither exits nor keeps
// state, so that the forced command can call it with the words of the client.
//
// A command line is checked whole before anything is done: the words against
// the command's usage line, the app, each value. Only then does a command call
// the agent, whose operations are the only writers. What is refused therefore
// leaves no trace, not even a lock file.
//
// Messages are the interface. Steps and warnings of operations go through
// event.Log, so that the host's log tells the same story; data (tables,
// reports, values) is written to stdout directly and never left out. Headings
// are left out with --quiet and without a terminal.
//
// What run and enter pass on is the app's own, byte for byte, also to a terminal:
// whoever runs a program there wants its colours and its cursor. Everything else
// that an app has written is made printable before it is shown.
package command
