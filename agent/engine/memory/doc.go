// Package memory is an engine without containers, for tests. It keeps the whole
// contract of engine.Host and passes the conformance suite, so that results of tests
// with it hold for other engines too.
//
// # Decisions
//
// A process does what a test's script says (Behave), else it runs until it is stopped.
// Ids depend only on the order of the calls: a test that fails does so again.
//
// A test can make any call fail, hang, or take effect and lose its answer (Fail). Clone
// copies the whole engine, so that a test can try every fault from one state.
package memory
