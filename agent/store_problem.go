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
