package app

import "time"

// Problem says why an app has not converged: the error of the last attempt. It has a
// file of its own, dokku/problem.json, because a change of state.json means a change
// of the desired state.
type Problem struct {
	Version int       `json:"version"`
	Since   time.Time `json:"since"`
	Text    string    `json:"text"`
}
