// Package command holds the noun:verb commands that people type on the
// host ("dokku ps:scale app web=2") and over SSH ("ssh dokku@host ps:scale app
// web=2"). Both go through Execute, in process: it neither exits nor keeps
// state, so that the forced command can call it with the words of the client.
//
// # Decisions
//
// There is a package for each group of nouns. It exports its list of commands and
// nothing else. Code that two groups need is in package cli: groups never import each
// other, so that a new capability is a new package and one line here.
package command
