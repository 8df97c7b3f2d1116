// Package buildtest writes git repositories and images for the tests of builds, and pushes
// from one to another through a hook that is the test binary itself.
package buildtest
