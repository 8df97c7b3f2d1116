// Package enginetest is the contract of package engine as tests. Every
// implementation passes them, the one in memory too: the agent's tests use that one,
// and their results then hold for the others.
//
// The tests of a run use apps with names of their own and remove all that they made.
// They can run on an engine that serves.
package enginetest
