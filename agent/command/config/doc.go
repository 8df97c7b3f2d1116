// Package config has the commands about an app's environment variables.
//
// The values of variables may be secrets. A command shows them to its caller, and
// keeps them out of the host's log.
package config
