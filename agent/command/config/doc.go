// Package config has the commands about an app's environment variables.
//
// The values of variables may be secrets. The commands show them to the caller and keep
// them out of the host's log.
package config
