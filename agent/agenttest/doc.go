// Package agenttest says what commands do that run at the same time: a sequential
// model of the apps of a server, and a check of whether a history of commands has
// one order in which the model does what was observed.
//
// # What is checked
//
// Linearizability (Herlihy and Wing, 1990), with porcupine: there is one order of
// all commands in which each takes effect at one moment between its call and its
// return, and in which every outcome, also the refusal of the loser, is the one
// that the model gives. All apps are one object, since apps:rename and the domains
// span several.
//
// A refusal is understood when it is one of the messages that are known here, and
// the model refuses for that reason. Any other error fails the check.
//
// # Operations
//
// One table has the operations that tests disturb in memory and on the real machine. A row
// has command lines as data: this package imports nothing of the program, so the tests of
// every package can carry them out, by a call of the server or by a process.
//
// # Mutants
//
// Each mutant breaks one promise, and one test has to fail. A mutant names no file and no
// package: its text and its test are looked for in the whole module, and each has to be
// there once.
package agenttest
