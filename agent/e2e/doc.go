// Package e2e has the end-to-end tests: the built program with a real git, sshd, nginx
// and Docker Engine. A missing tool fails them. They run as any user, but those
// of swarms as root, and do not touch the machine's own nginx, sshd and DOKKU_ROOT.
//
// # Layout
//
// The scenarios are flat in this package. Their machinery is in packages below, which
// the product never imports: lab has servers, clients and apps, load has traffic and
// measurements, fault has failpoints and the fault matrix, swarmlab has several engines on
// one machine. Package machine tries faults on a server in memory, without a lab.
//
// # One test package
//
// All tests that need a lab are in this package, so that they share one process: one
// build of the program, one base image, one limit of tests at the same time. Several
// packages were rejected: go test runs them in parallel, each would build again, and
// their limits would add up.
//
// Labs do not disturb each other, nor those of another run on the same machine. Names of
// apps contain a random number of the run and the port of the lab's nginx. Ports are
// free ports of the kernel's choice. The lab's folder is a temporary one. Two labs may
// choose the same pool of addresses; the engine refuses a subnet that is taken, and the
// program takes the next one.
package e2e
