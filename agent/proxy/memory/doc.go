// Package memory is a proxy without nginx, for tests of the agent. It passes the suite in
// proxytest, resolves names by nginx's rules, and records the published routes. A test can
// make each call fail.
package memory
