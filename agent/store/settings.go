package store

import (
	"context"

	"dokku/agent/app"
	"dokku/agent/event"
)

// UpdateSettings changes the server's settings under their lock. A change that
// returns an error changes nothing.
func (s *Store) UpdateSettings(ctx context.Context, change func(*app.Settings) error) error {
	l, err := s.LockApp(ctx, SettingsLock, "changing the server's settings", event.Log{})
	if err != nil {
		return err
	}
	defer l.Release()
	set, err := s.StoredSettings()
	if err != nil {
		return err
	}
	if err := change(&set); err != nil {
		return err
	}
	set.Version = app.Version
	return s.WriteJSON(s.Own("server.json"), set)
}
