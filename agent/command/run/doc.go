// Package run has the commands that show and run something in an app's containers:
// one-off commands, a shell in a running process, and the logs.
//
// The bytes of run and enter are the app's own, to a terminal too: a program that
// somebody runs there needs its colours and its cursor. Logs are made printable
// before they are shown.
package run
