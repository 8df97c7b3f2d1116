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

// change is a change that is told.
type change struct {
	name string
	text func(app.View) string
}

// changes are the changes, with the names in toldFile. text says what changes for an app; "":
// nothing.
var changes = []change{
	// CHECKS replaces app.json's healthchecks for web. Until 2026-11 both were checked.
	{"checks-replace-healthchecks", func(v app.View) string {
		if !deploy.ReplacesHealthchecks(v) {
			return ""
		}
		return "CHECKS now replaces app.json's healthchecks for web; before, both were checked. " +
			"From its next deploy on only CHECKS counts: move the checks that you need there"
	}},
	// The cron tasks of app.json run. Until 2026-11 a push said that they do not, and what to
	// do instead.
	{"cron-runs", func(v app.View) string {
		if v.Current.RunsCron || len(v.Current.Control.AppJSON.Cron) == 0 {
			return ""
		}
		return "the cron tasks of its app.json run from its next push on; before, none did. If a cron of yours runs them, end that"
	}},
}

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
	fresh := slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return slices.Contains(told.Told, c.name) })
	if len(fresh) == 0 {
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
		if err != nil || a.Current == nil {
			continue
		}
		for _, c := range fresh {
			if text := c.text(app.View{App: a, Settings: set}); text != "" {
				log.WithApp(name).Warn("%s: %s", name, text)
			}
		}
	}
	for _, c := range fresh {
		told.Told = append(told.Told, c.name)
	}
	return s.Env.Store.WriteJSON(path, toldChanges{app.Version, told.Told})
}
