package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/app"
)

// CronDir is the folder of the runs of an app's cron tasks: ID.json and ID.log.
const CronDir = "cron"

const (
	// keptRuns is the number of runs of each task that are kept, with their logs.
	keptRuns = 50
	// keptTasks is the number of tasks whose runs are kept: those that ran last.
	keptTasks = 100
)

func (s *Store) runFile(name, id string) string { return s.File(name, CronDir, id+".json") }

// RunLog returns the path of the log of a run.
func (s *Store) RunLog(name, id string) string { return s.File(name, CronDir, id+".log") }

// ClaimRun records that a run begins. Once it has returned true, the record survives a power
// loss; false: there is a record of the run already, whoever made it. The caller need not
// hold the app's lock.
func (s *Store) ClaimRun(name string, r *app.CronRun) (bool, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	if err := s.At("create cron run"); err != nil {
		return false, err
	}
	path := s.runFile(name, r.ID)
	if err := s.Disk.Mkdir(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	err = s.Disk.Create(path, append(data, '\n'), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil {
		err = s.At("sync cron run")
	}
	if err == nil {
		err = s.Disk.SyncAll(path, filepath.Dir(path), s.File(name))
	}
	return err == nil, err
}

// SaveRun replaces the record of a run.
func (s *Store) SaveRun(name string, r *app.CronRun) error {
	r.Version = app.Version
	return s.writeUnlocked(s.runFile(name, r.ID), r)
}

// Run reads the record of a run. It fails with fs.ErrNotExist if there is none.
func (s *Store) Run(name, id string) (*app.CronRun, error) {
	r := &app.CronRun{}
	err := ReadJSON(s.runFile(name, id), r)
	var bad *json.SyntaxError
	if errors.As(err, &bad) {
		// A kill, or a power loss, between the creation of the file and its content.
		return &app.CronRun{ID: id, Key: app.RunKey(id), Outcome: app.RunInterrupted}, nil
	}
	return r, err
}

// Runs returns the runs of an app's tasks, the oldest first.
func (s *Store) Runs(name string) ([]*app.CronRun, error) {
	entries, err := os.ReadDir(s.File(name, CronDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []*app.CronRun
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasPrefix(id, ".") {
			continue
		}
		r, err := s.Run(name, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	slices.SortStableFunc(list, func(a, b *app.CronRun) int {
		return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// PruneRuns removes the oldest runs that are over, so that keptRuns of each task stay.
func (s *Store) PruneRuns(name string) error {
	list, err := s.Runs(name)
	count := map[string]int{}
	for _, r := range slices.Backward(list) {
		if count[r.Key]++; r.Over() && (count[r.Key] > keptRuns || len(count) > keptTasks) {
			os.Remove(s.RunLog(name, r.ID))
			os.Remove(s.runFile(name, r.ID))
		}
	}
	return err
}

// SaveRunLog keeps the log of a run. It syncs nothing, and a kill may leave the beginning of
// it: the next agent writes it again, because the record of the end comes after it.
func (s *Store) SaveRunLog(name, id string, data []byte) error {
	return os.WriteFile(s.RunLog(name, id), data, 0o600)
}

// CronSince returns since when the app's tasks are scheduled.
func (s *Store) CronSince(name string) (since app.CronSince, err error) {
	if err = ReadJSON(s.File(name, "cron.json"), &since); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return since, err
}

// SaveCronSince replaces what CronSince returns. Only the agent calls it, without the app's
// lock.
func (s *Store) SaveCronSince(name string, since app.CronSince) error {
	since.Version = app.Version
	return s.writeUnlocked(s.File(name, "cron.json"), since)
}
