//go:build !failpoints

package engine

// Counted is the engine itself; see counted.go.
func Counted(d *Docker) Host { return d }
