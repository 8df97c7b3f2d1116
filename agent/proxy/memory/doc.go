// Package memory is a proxy without nginx, for tests of the agent. It passes the
// suite in proxytest, resolves names by nginx's rules, remembers the
// published routes, and fails where a test wants it to.
package memory
