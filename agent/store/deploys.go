package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"dokku/agent/app"
	"dokku/agent/disk"
)

func (s *Store) deployFile(name string, n int) string {
	return s.File(name, "deploys", strconv.Itoa(n)+".json")
}

// cancelFile is where a request to cancel deploy n waits for its process.
func (s *Store) cancelFile(name string, n int) string {
	return s.File(name, "deploys", strconv.Itoa(n)+".cancel.json")
}

// SaveDeploy replaces the record of a deploy. It syncs nothing: a deploy may not wait for
// what only describes it.
func (s *Store) SaveDeploy(name string, d *app.Deploy) error {
	d.Version = app.Version
	return replaceUnsynced(s.deployFile(name, d.Number), d)
}

// replaceUnsynced writes a value as JSON. Readers find the old or the new file.
func replaceUnsynced(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return disk.ReplaceUnsynced(path, append(data, '\n'))
}

// Deploy reads the record of a deploy. It fails with fs.ErrNotExist if there is none, as
// for the deploys of older versions, and if a power loss has left nothing of its content.
func (s *Store) Deploy(name string, n int) (*app.Deploy, error) {
	d := &app.Deploy{}
	err := ReadJSON(s.deployFile(name, n), d)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// RemoveDeploy removes the log and the record of a deploy.
func (s *Store) RemoveDeploy(name string, n int) {
	os.Remove(s.DeployLog(name, n))
	os.Remove(s.deployFile(name, n))
	s.ForgetCancel(name, n)
}

// RunningDeploy returns the app's deploy that is under way; nil if there is none. An app
// deploys once at a time, so that only the last one can be.
func (s *Store) RunningDeploy(name string) *app.Deploy {
	numbers := s.DeployLogs(name)
	if len(numbers) == 0 {
		return nil
	}
	d, err := s.Deploy(name, numbers[len(numbers)-1])
	if err != nil || !d.Runs() {
		return nil
	}
	return d
}

// AskCancel asks the process of a deploy to end it. That process looks for the request
// (CancelAsked), however it was started: a signal would also end an agent.
func (s *Store) AskCancel(name string, n int, c app.Cancel) error {
	if err := replaceUnsynced(s.cancelFile(name, n), c); err != nil {
		return fmt.Errorf("cannot cancel deploy %d of %s: %w", n, name, err)
	}
	return nil
}

// CancelAsked reports whether somebody has asked to end a deploy.
func (s *Store) CancelAsked(name string, n int) (c app.Cancel, asked bool) {
	return c, ReadJSON(s.cancelFile(name, n), &c) == nil
}

// ForgetCancel removes the request to end a deploy.
func (s *Store) ForgetCancel(name string, n int) { os.Remove(s.cancelFile(name, n)) }
