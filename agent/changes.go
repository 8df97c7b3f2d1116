package agent

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/store"
)

// toldFile names the changes of TellChanges that were told on this server.
const toldFile = "told.json"

// checksReplace is a change: CHECKS replaces app.json's healthchecks for web. Until
// 2026-11 both were checked.
const checksReplace = "checks-replace-healthchecks"

type toldChanges struct {
	Version int      `json:"version"`
	Told    []string `json:"told"`
}

// TellChanges names the deployed apps that an update of this program treats differently
// at their next deploy. It does so once on a server: install.sh calls it before it starts
// the agent again, and the agent when it starts. After a crash before the note about it is
// stored, the apps are named again.
func (s *Server) TellChanges(ctx context.Context, log event.Log) error {
	// The installer and an agent must not both tell.
	l, err := s.Env.Store.LockApp(ctx, store.SettingsLock, "telling what an update changes", log)
	if err != nil {
		return err
	}
	defer l.Release()
	path := s.Env.Store.Own(toldFile)
	var told toldChanges
	if err := store.ReadJSON(path, &told); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if slices.Contains(told.Told, checksReplace) {
		return nil
	}
	set, err := s.Settings()
	if err != nil {
		return err
	}
	names, err := s.Env.Store.Apps()
	if err != nil {
		return err
	}
	for _, name := range names {
		// What an app that cannot be read ships is told by its next deploy.
		a, err := s.Load(name)
		if err == nil && a.Current != nil && deploy.ReplacesHealthchecks(app.View{App: a, Settings: set}) {
			log.WithApp(name).Warn("%s: CHECKS now replaces app.json's healthchecks for web; before, both were checked. "+
				"From its next deploy on only CHECKS counts: move the checks that you need there", name)
		}
	}
	return s.Env.Store.WriteJSON(path, toldChanges{app.Version, append(told.Told, checksReplace)})
}
