//go:build !failpoints

package agent

import "dokku/agent/engine"

// counted is the engine itself; see host_failpoints.go.
func counted(d *engine.Docker) engine.Host { return d }
