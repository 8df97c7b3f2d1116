package store

import (
	"errors"
	"fmt"
	"slices"

	"dokku/agent/app"
)

// DomainTaken returns the first of the names that another app has as a domain, and
// that app, or "" if all are free. It skips the apps in except. The caller holds
// DomainsLock.
func (s *Store) DomainTaken(set app.Settings, names []string, except ...string) (name, owner string, err error) {
	apps, err := s.Apps()
	if err != nil {
		return "", "", err
	}
	for _, appName := range apps {
		if slices.Contains(except, appName) {
			continue
		}
		a, err := s.Load(appName)
		if errors.As(err, new(*app.NoAppError)) {
			continue // it was destroyed after Apps listed it
		}
		if err != nil {
			return "", "", err
		}
		taken := app.View{App: a, Settings: set}.Names()
		for _, name := range names {
			if slices.Contains(taken, name) {
				return name, appName, nil
			}
		}
	}
	return "", "", nil
}

// Conflict returns an error if another app has a domain or the host port of v. It skips
// the apps in replaced.
func (s *Store) Conflict(v app.View, replaced []string) error {
	if d, owner, err := s.DomainTaken(v.Settings, v.Names(), replaced...); err != nil {
		return err
	} else if owner != "" {
		return fmt.Errorf("domain %s of app %s belongs to app %s: remove it there first (dokku domains:remove %[3]s %[1]s)", d, v.Name, owner)
	}
	apps, err := s.Apps()
	if err != nil {
		return err
	}
	for _, name := range apps {
		if slices.Contains(replaced, name) {
			continue
		}
		other, err := s.Load(name)
		if err != nil {
			return err
		}
		if p := v.State.HostPort; p != 0 && p == other.State.HostPort {
			return fmt.Errorf("the host port %d of app %s belongs to app %s", p, v.Name, name)
		}
	}
	return nil
}
