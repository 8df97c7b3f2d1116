// Package enginetest is the contract of package engine as tests. Every
// implementation passes them, the one in memory too: what the agent's tests
// prove with it then holds for the others.
//
// The tests of a run use apps with names of their own and remove what they
// made, so that they can run on an engine that serves.
package enginetest
