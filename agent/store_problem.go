package agent

import (
	"errors"
	"io/fs"
	"time"
)

// Problem returns why the app is not what it should be; nil if it is.
func (s *Store) Problem(app string) (*Problem, error) {
	p := &Problem{}
	err := readJSON(s.file(app, "problem.json"), p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return p, err
}

// noteProblem records how an attempt to converge an app ended. A problem that cannot
// be recorded is in the host's log all the same.
func (s *Store) noteProblem(app string, err error) {
	path := s.file(app, "problem.json")
	if err == nil {
		s.disk.Remove(path)
		return
	}
	if old, _ := s.Problem(app); old == nil || old.Text != err.Error() {
		s.writeJSON(path, Problem{Version: stateVersion, Since: time.Now().UTC(), Text: err.Error()})
	}
}
