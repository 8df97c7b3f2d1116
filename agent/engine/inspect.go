package engine

import "context"

// Inspector describes one container, and the engine itself.
type Inspector interface {
	// Info returns the engine's version and its data folder; ErrUnreachable when it
	// is down.
	Info(ctx context.Context) (Info, error)
	// Describe returns the engine's own description, a JSON object as docker
	// inspect prints it; ErrNoContainer when the container is gone.
	Describe(ctx context.Context, id string) ([]byte, error)
	// Processes returns the container's process table as ps prints it with the
	// given arguments (for example "auxwww"): titles, then rows.
	Processes(ctx context.Context, id, args string) (titles []string, rows [][]string, err error)
	// Written returns how many bytes a container, running or not, takes on the disk beside its
	// image: what it wrote into its root folder and into its anonymous volumes, which Remove
	// removes with it. Its log, tmpfs, folders of the host and named volumes do not count. The
	// engine looks at each file for that: ask for one container at a time, and seldom.
	// ErrNoContainer when it is gone.
	Written(ctx context.Context, id string) (int64, error)
}

// Info is an engine's description of itself.
type Info struct {
	Version string // "20.10.24"
	API     string // the highest version of the API that it speaks: "1.41"
	// DataRoot is the folder of the engine's host that holds images and containers.
	DataRoot string
	// EndsContainers: a restart of the engine ends all containers, and it could be set
	// up otherwise (live-restore).
	EndsContainers bool
	// Unfiltered: containers may make any system call, because the engine has no seccomp or is
	// told to use none.
	Unfiltered bool
}
