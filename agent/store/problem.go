package store

import (
	"errors"
	"io/fs"
	"time"

	"dokku/agent/app"
)

// Problem returns why the app is not what it should be; nil if it is.
func (s *Store) Problem(name string) (*app.Problem, error) {
	p := &app.Problem{}
	err := ReadJSON(s.File(name, "problem.json"), p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return p, err
}

// NoteProblem records how an attempt to converge an app ended. A problem that cannot
// be recorded is in the host's log all the same.
func (s *Store) NoteProblem(name string, err error) {
	path := s.File(name, "problem.json")
	if err == nil {
		s.Disk.Remove(path)
		return
	}
	if old, _ := s.Problem(name); old == nil || old.Text != err.Error() {
		s.WriteJSON(path, app.Problem{Version: app.Version, Since: time.Now().UTC(), Text: err.Error()})
	}
}
