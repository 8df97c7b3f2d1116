package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/event"
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

// NewDeploy begins the log of a deploy, and returns its number and its log. Those of the
// oldest deploys go, so that no more than keep stay, but for deploys that go on. Two
// processes may begin one at the same time: the caller need not hold the app's lock.
func (s *Store) NewDeploy(name string, keep int) (n int, f *event.File, err error) {
	for {
		numbers := s.DeployLogs(name)
		n = 1
		if len(numbers) > 0 {
			n = numbers[len(numbers)-1] + 1
		}
		f, err = event.CreateFile(s.DeployLog(name, n))
		if errors.Is(err, fs.ErrExist) {
			continue // the other process was faster
		}
		if err != nil {
			return 0, nil, err
		}
		s.prune(name, numbers[:max(0, len(numbers)+1-keep)])
		return n, f, nil
	}
}

// PruneDeploys removes the logs and records of the app's oldest deploys, so that no more
// than keep stay, but for deploys that go on. It returns how many it removed.
func (s *Store) PruneDeploys(name string, keep int) int {
	numbers := s.DeployLogs(name)
	return s.prune(name, numbers[:max(0, len(numbers)-keep)])
}

func (s *Store) prune(name string, numbers []int) (removed int) {
	for _, n := range numbers {
		if d, err := s.Deploy(name, n); err != nil || !d.Runs() && !d.Waits() {
			s.RemoveDeploy(name, n)
			removed++
		}
	}
	return removed
}

// RunningDeploy returns the app's deploy that is under way; nil if there is none. An app
// deploys once at a time.
func (s *Store) RunningDeploy(name string) *app.Deploy { return s.lastDeploy(name, (*app.Deploy).Runs) }

// WaitingDeploy returns the last of the app's deploys that wait for their turn; nil if
// there is none.
func (s *Store) WaitingDeploy(name string) *app.Deploy {
	return s.lastDeploy(name, (*app.Deploy).Waits)
}

// lastDeploy returns the last deploy that is as wanted. A detached push that waits may have
// a higher number than the deploy that is under way.
func (s *Store) lastDeploy(name string, wanted func(*app.Deploy) bool) *app.Deploy {
	for _, n := range slices.Backward(s.DeployLogs(name)) {
		if d, err := s.Deploy(name, n); err == nil && wanted(d) {
			return d
		}
	}
	return nil
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
