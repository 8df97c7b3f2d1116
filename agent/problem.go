package agent

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Problem is why an app is not what it should be: what the last attempt to
// bring it there ended with. It is a file of its own, dokku/problem.json,
// since a change of state.json says that somebody asked for something else.
type Problem struct {
	Version int       `json:"version"`
	Since   time.Time `json:"since"`
	Text    string    `json:"text"`
}

// Problem returns why the app is not what it should be; nil if it is.
func (s *Store) Problem(app string) (*Problem, error) {
	p := &Problem{}
	err := readJSON(s.file(app, "problem.json"), p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return p, err
}

// Serving returns the number of the release that the proxy leads to now; 0: none,
// or the app is not behind the proxy.
func (s *Server) Serving(ctx context.Context, a *App) (int, error) {
	if a.Current == nil || a.State.ProxyDisabled {
		return 0, nil
	}
	set, err := s.Settings()
	if err != nil {
		return 0, err
	}
	px := s.Proxy(set)
	live, ok, err := px.Live(ctx, a.Name)
	if !ok || err != nil {
		return 0, err
	}
	return live.Release, nil
}

// noteProblem records how an attempt to converge ended. What cannot be
// recorded is in the host's log all the same.
func (x *session) noteProblem(err error) {
	path := x.file(x.Name, "problem.json")
	if err == nil {
		x.disk.Remove(path)
		return
	}
	if old, _ := x.Problem(x.Name); old == nil || old.Text != err.Error() {
		x.writeJSON(path, Problem{Version: stateVersion, Since: time.Now().UTC(), Text: err.Error()})
	}
}
