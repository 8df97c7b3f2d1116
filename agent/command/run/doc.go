// Package run has the commands that show and run something in an app's containers:
// one-off commands, a shell in a running process, and the logs.
//
// run and enter pass on the app's bytes unchanged, also to a terminal: an
// interactive program needs its colours and its cursor. Logs are made printable
// before they are shown.
package run
