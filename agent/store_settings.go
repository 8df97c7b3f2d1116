package agent

import (
	"context"
	"dokku/agent/event"
)

// UpdateSettings changes the server's settings under their lock. A change that
// returns an error changes nothing.
func (s *Store) UpdateSettings(ctx context.Context, change func(*Settings) error) error {
	l, err := s.lockApp(ctx, settingsLock, "changing the server's settings", event.Log{})
	if err != nil {
		return err
	}
	defer l.release()
	set, err := s.storedSettings()
	if err != nil {
		return err
	}
	if err := change(&set); err != nil {
		return err
	}
	set.Version = stateVersion
	return s.writeJSON(s.own("server.json"), set)
}
