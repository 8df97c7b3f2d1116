// Package agenttest has a sequential model of the apps of a server. It checks that a
// history of concurrent commands has one order in which the model gives the observed
// outcomes.
//
// # What is checked
//
// Linearizability (Herlihy and Wing, 1990), with porcupine: there is one order of all
// commands in which each takes effect at one moment between its call and its return, and
// in which the model gives every outcome, refusals included. All apps are one object,
// because apps:rename and domains span several apps.
//
// A refusal has to be a message that this package knows, and the model has to refuse for
// the same reason. Any other error fails the check.
//
// # Operations
//
// One table lists the operations that the fault tests disturb, in memory and on the real
// machine. A row has command lines as data. This package imports nothing of the program,
// so the tests of every package can run them, through the server or a process.
//
// # Mutants
//
// Each mutant breaks one promise, and one test has to fail. A mutant names neither file
// nor package: its text and its test are searched in the whole module, and each must occur
// once. A code move therefore leaves the mutants alone.
package agenttest
