package store

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/app"
)

// Created is when the app was made; of an app of an older version, when its
// repository was.
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

// SettingsLock is the name of the lock of the server's settings; it cannot be
// an app's name.
const SettingsLock = "_server"

// DomainsLock is the name of the lock that guards which app has which name.
const DomainsLock = "_domains"

// NewPrefix begins the names of folders in which apps are made.
const NewPrefix = ".new-"

// NameFree refuses the name of an app that exists, or that has had this name and
// still has processes from then. The caller holds the name's lock.
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
		err = fmt.Errorf("Name is already taken: %s is called %s now: use that name, or free this one with ps:restart %[2]s "+
			"(processes from before the rename still run)", name, now)
	}
	return err
}

// NowCalled returns the app that still has something of its former name; "" when
// there is none.
func (s *Store) NowCalled(former string) (string, error) {
	apps, err := s.Apps()
	if err != nil {
		return "", err
	}
	for _, app := range apps {
		// What cannot be read keeps nobody else from a name.
		if a, err := s.Load(app); err == nil && a.Former() == former {
			return app, nil
		}
	}
	return "", nil
}
