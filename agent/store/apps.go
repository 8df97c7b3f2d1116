package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/agent/app"
)

// Created returns when the app was created. For an app of an older version this is the
// time of its repository's configuration.
func (s *Store) Created(a *app.App) (time.Time, error) {
	if !a.State.CreatedAt.IsZero() {
		return a.State.CreatedAt, nil
	}
	fi, err := os.Stat(filepath.Join(a.Dir, "config"))
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot tell when %s was made: %w", a.Name, err)
	}
	return fi.ModTime(), nil
}

// NewPrefix begins the names of the folders in which new apps are built.
const NewPrefix = ".new-"

// NameFree returns an error if an app has this name, or had it before a rename and
// still runs processes under it. The caller holds the name's lock.
func (s *Store) NameFree(name string) error {
	if _, err := os.Lstat(s.Dir(name)); err == nil {
		if _, err := s.Load(name); err == nil {
			//lint:ignore ST1005 the text is Dokku's
			return fmt.Errorf("Name is already taken: app %s exists", name)
		}
		return fmt.Errorf("cannot create %s: %s is in the way and is not an app; move it away", name, s.Dir(name))
	}
	now, err := s.NowCalled(name)
	if err == nil && now != "" {
		//lint:ignore ST1005 the text is Dokku's
		err = fmt.Errorf("Name is already taken: %s is called %s now: use that name, or free this one with dokku ps:restart %[2]s "+
			"(processes from before the rename still run)", name, now)
	}
	return err
}

// Present returns the present name of an app. Containers may have its former name.
func (s *Store) Present(name string) string {
	if _, err := os.Stat(s.File(name, "state.json")); err == nil {
		return name
	}
	if now, err := s.NowCalled(name); err == nil && now != "" {
		return now
	}
	return name
}

// NowCalled returns the app that was renamed from former and still has containers
// under that name, or "".
func (s *Store) NowCalled(former string) (string, error) {
	apps, err := s.Apps()
	if err != nil {
		return "", err
	}
	for _, app := range apps {
		// An app that cannot be read blocks no name.
		if a, err := s.Load(app); err == nil && a.Former() == former {
			return app, nil
		}
	}
	return "", nil
}

// ProvisionalAge is the age at which an app without an accepted push may be removed by
// other processes than the push that created it. A younger push may not have started
// its git yet.
const ProvisionalAge = time.Minute

// Young reports whether the app's state is younger than ProvisionalAge.
func (s *Store) Young(app string) bool {
	fi, err := os.Stat(s.File(app, "state.json"))
	return err == nil && time.Since(fi.ModTime()).Abs() < ProvisionalAge
}

// Problem returns why the app has not converged, or nil.
func (s *Store) Problem(name string) (*app.Problem, error) {
	p := &app.Problem{}
	err := ReadJSON(s.File(name, "problem.json"), p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return p, err
}

// NoteProblem records the error of an attempt to converge an app; nil removes the
// record. It ignores write errors, because the caller logs the problem too.
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

// DeployLog returns the path of the log of a deploy.
func (s *Store) DeployLog(app string, n int) string {
	return s.File(app, "deploys", strconv.Itoa(n)+".log")
}

// FailedLog returns the path of the file with the logs of the processes that failed the
// last rejected deploy: lines of the process, the time and the text.
func (s *Store) FailedLog(app string) string { return s.File(app, "deploys", "failed.log") }

// DeployLogs lists the numbers of the deploys that have a log, ascending.
func (s *Store) DeployLogs(app string) []int {
	entries, err := os.ReadDir(s.File(app, "deploys"))
	if err != nil {
		return nil
	}
	var numbers []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".log")
		if n, err := strconv.Atoi(name); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}
