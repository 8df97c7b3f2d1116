package app

import "time"

// Problem is why an app is not what it should be: what the last attempt to
// bring it there ended with. It is a file of its own, dokku/problem.json,
// since a change of state.json says that somebody asked for something else.
type Problem struct {
	Version int       `json:"version"`
	Since   time.Time `json:"since"`
	Text    string    `json:"text"`
}
