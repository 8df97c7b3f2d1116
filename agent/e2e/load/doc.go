// Package load puts apps of a lab under load, and measures whether they grow.
//
// Traffic comes from the test's process, for a few hundred requests a second. A Generator
// is a process of its own (testdata/load) with more kinds of requests. Both compare each
// answer with a History, which knows when git accepted which version.
package load
