package checks

import "time"

// Process is the part of a process's state that the gate looks at.
type Process struct {
	Status   Status
	ExitCode int // of its last end
	// OOMKilled: the kernel killed it because its memory ran out. The engine may miss it:
	// then the exit code alone tells, which is killed.
	OOMKilled bool
	Restarts  int
	Finished  time.Time // its last end
	// Created is when its container was made. A swarm makes another one for each restart.
	Created time.Time
}

// killed is the exit code of a process that was ended by signal 9.
const killed = 137

// Running reports whether the process runs.
func (p Process) Running() bool { return p.Status == StatusRunning }

// Status is the state of a process, in the words of container engines.
type Status string

// The states of a process.
const (
	StatusCreated    Status = "created"
	StatusRunning    Status = "running"
	StatusRestarting Status = "restarting"
	StatusPaused     Status = "paused"
	StatusExited     Status = "exited"
	StatusRemoving   Status = "removing"
	StatusDead       Status = "dead"
	StatusLost       Status = "lost" // its node does not answer
)
