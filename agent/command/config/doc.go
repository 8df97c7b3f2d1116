// Package config has the commands about an app's environment variables.
//
// The values of variables may be secrets. The commands show them to the caller and keep
// them out of the host's log.
//
// # Decisions
//
// config:set prints the values that it sets, as Dokku does. A line that went through two
// shells and ssh often arrives as its writer did not mean it, and what it prints is where
// that shows; scripts read it too. In the log of a CI service a secret would stay, so
// --no-echo prints the names alone. Rejected: names alone without a terminal, since most
// lines come over ssh without one, from people.
package config
