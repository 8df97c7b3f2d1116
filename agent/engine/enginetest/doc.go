// Package enginetest is the contract of package engine as tests. Every implementation
// passes them, the one in memory too. The agent's tests use that one, so their results
// hold for the others.
//
// The tests of a run use apps with names of their own and remove all their resources. They
// can run on a production engine.
package enginetest
