//go:build !failpoints

package docker

import "dokku/agent/engine"

// Counted is the engine itself; see counted.go.
func Counted(d *Engine) engine.Host { return d }
