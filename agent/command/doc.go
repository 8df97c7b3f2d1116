// Package command has the noun:verb commands that people run on the host ("dokku
// ps:scale app web=2") and over ssh ("ssh dokku@host ps:scale app web=2"). Both call
// Execute in process, which neither exits nor keeps state. The package may import the
// packages of its groups, which may import cli, agent/doctor, agent/backup and the layers
// below them.
//
// # Decisions
//
// Each group of nouns has a package, which exports only its list of commands. Code that
// two groups need is in package cli. Groups never import each other, so that a new
// capability is a new package and one line here. Package contract has what clients of
// Dokku call and read; it has tests only.
package command
