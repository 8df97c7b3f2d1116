package agent

import (
	"errors"
	"slices"
)

// domainTaken returns the first of the names that another app answers to, and that
// app; "" when all are free. The apps in except do not count. The caller holds the
// lock of all names.
func (s *Store) domainTaken(set Settings, names []string, except ...string) (name, owner string, err error) {
	apps, err := s.Apps()
	if err != nil {
		return "", "", err
	}
	for _, app := range apps {
		if slices.Contains(except, app) {
			continue
		}
		a, err := s.Load(app)
		if errors.As(err, new(*NoAppError)) {
			continue // since it was listed
		}
		if err != nil {
			return "", "", err
		}
		taken := View{a, set}.Domains()
		for _, name := range names {
			if slices.Contains(taken, name) {
				return name, app, nil
			}
		}
	}
	return "", "", nil
}
