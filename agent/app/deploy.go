package app

import (
	"fmt"
	"time"

	"dokku/agent/proc"
)

// Deploy is the record of one deploy, beside its log. It is written without a sync: after
// a power loss the last ones may be missing.
type Deploy struct {
	Version  int    `json:"version"`
	Number   int    `json:"number"`
	Cause    string `json:"cause"` // "push", "ps:rebuild", ...
	By       string `json:"by,omitempty"`
	Revision string `json:"revision"`
	// Message is the pusher's note (git push -o message); "": none.
	Message string `json:"message,omitempty"`
	// Release is the number of the release that it made; 0: none.
	Release int       `json:"release,omitempty"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	// State is what is known at the time of the last write. A process that was killed
	// leaves DeployRunning: see Owner.
	State DeployState `json:"state"`
	Error string      `json:"error,omitempty"`
	// Phases are the steps that take time, in the order of their ends.
	Phases []Phase `json:"phases,omitempty"`
	// Owner is the process that deploys, or a git that decides about its release.
	Owner proc.Owner `json:"owner,omitzero"`
	// Staged: git decides about it or has accepted it, so nobody can cancel it any more.
	Staged bool `json:"staged,omitempty"`
}

// String names the deploy: "ann's push of 1a2b3c4 (deploy 17)".
func (d *Deploy) String() string {
	who := "a"
	if d.By != "" {
		who = d.By + "'s"
	}
	return fmt.Sprintf("%s %s of %s (deploy %d)", who, d.Cause, Short(d.Revision), d.Number)
}

// Runs reports whether the deploy is under way as far as its record and its process tell.
func (d *Deploy) Runs() bool { return d.State == DeployRunning && d.Owner.Alive() }

// Waits reports whether the deploy waits for its turn, as Runs does.
func (d *Deploy) Waits() bool { return d.State == DeployWaiting && d.Owner.Alive() }

// Unfinished reports whether the record says that the deploy goes on.
func (d *Deploy) Unfinished() bool { return d.State == DeployRunning || d.State == DeployWaiting }

// Cancel is a request to end a deploy that is under way.
type Cancel struct {
	By      string `json:"by"`      // see Deploy
	Command string `json:"command"` // "dokku deploys:cancel", "git push -o cancel"
}

// Phase is a step of a deploy.
type Phase struct {
	Name         string  `json:"name"`
	Milliseconds float64 `json:"milliseconds"`
}

// DeployState is how far a deploy is.
type DeployState string

// The values of DeployState.
const (
	DeployWaiting     DeployState = "waiting" // a detached push waits for its turn
	DeployRunning     DeployState = "running"
	DeployDone        DeployState = "deployed"
	DeployRejected    DeployState = "rejected"
	DeployCancelled   DeployState = "cancelled"
	DeployInterrupted DeployState = "interrupted" // its process or git was killed
)

// Add adds the duration of a step. Steps that repeat, as the rounds of a rollout do, are
// one phase.
func (d *Deploy) Add(name string, milliseconds float64) {
	for n := range d.Phases {
		if d.Phases[n].Name == name {
			d.Phases[n].Milliseconds += milliseconds
			return
		}
	}
	d.Phases = append(d.Phases, Phase{name, milliseconds})
}
