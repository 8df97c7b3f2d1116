package engine

import (
	"context"
)

// Inspector describes one container, and the engine itself.
type Inspector interface {
	// Info says which engine it is; ErrUnreachable when it is down.
	Info(ctx context.Context) (Info, error)
	// Describe returns the engine's own description, a JSON object as docker
	// inspect prints it; ErrNoContainer when the container is gone.
	Describe(ctx context.Context, id string) ([]byte, error)
	// Processes returns the container's process table as ps prints it with the
	// given arguments (for example "auxwww"): titles, then rows.
	Processes(ctx context.Context, id, args string) (titles []string, rows [][]string, err error)
}
