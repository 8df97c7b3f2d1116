// Package lab starts servers for end-to-end tests. Each lab has a DOKKU_ROOT, an nginx,
// an sshd and a client of its own, and shares the machine's Docker Engine.
//
// A lab removes its resources at the end of its test, those of a failed test too. A
// lab's method that fails ends the test of the lab, so a subtest calls With first.
package lab
