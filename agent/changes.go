package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

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
	// text says what changes for an app; "": nothing.
	text func(app.View) string
	// all says it of all apps that have a text, instead of a line for each.
	all func(apps []string) string
}

// changes are the changes, with the names in toldFile.
var changes = []change{
	// CHECKS replaces app.json's healthchecks for web. Until 2026-11 both were checked.
	{name: "checks-replace-healthchecks", text: func(v app.View) string {
		if !deploy.ReplacesHealthchecks(v) {
			return ""
		}
		return "CHECKS now replaces app.json's healthchecks for web; before, both were checked. " +
			"From its next deploy on only CHECKS counts: move the checks that you need there"
	}},
	// The cron tasks of app.json run. Until 2026-11 a push said that they do not, and what to
	// do instead.
	{name: "cron-runs", text: func(v app.View) string {
		if v.Current.RunsCron || len(v.Current.Control.AppJSON.Cron) == 0 {
			return ""
		}
		return "the cron tasks of its app.json run from its next push on; before, none did. If a cron of yours runs them, end that"
	}},
	// Isolation of version 2. Until 2026-11 containers of new apps reached all ports of the server.
	{name: "isolation-networks", text: func(v app.View) string {
		if v.State.Isolation < app.IsolationOlder || v.State.Isolation >= app.IsolationNetworks {
			return ""
		}
		return "older"
	}, all: func(apps []string) string {
		return fmt.Sprintf("The containers of new apps reach no ports of this server but the web's, and no metadata service of a cloud. Those of older apps go on reaching them: %s. "+
			"To keep one from them: dokku isolation:enable APP; before, open the ports that it needs: dokku network:set APP host-ports PORT", strings.Join(apps, ", "))
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
	told, err := s.told()
	if err != nil {
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
	together := map[string][]string{}
	for _, name := range names {
		// What an app that cannot be read ships is told by its next deploy.
		a, err := s.Load(name)
		if err != nil || a.Current == nil {
			continue
		}
		for _, c := range fresh {
			switch text := c.text(app.View{App: a, Settings: set}); {
			case text == "":
			case c.all != nil:
				together[c.name] = append(together[c.name], name)
			default:
				log.WithApp(name).Warn("%s: %s", name, text)
			}
		}
	}
	for _, c := range fresh {
		if apps := together[c.name]; apps != nil {
			log.Warn("%s", c.all(apps))
		}
		told.Told = append(told.Told, c.name)
	}
	return s.Env.Store.WriteJSON(s.Env.Store.Own(toldFile), toldChanges{app.Version, told.Told})
}

func (s *Server) told() (told toldChanges, err error) {
	if err = store.ReadJSON(s.Env.Store.Own(toldFile), &told); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return told, err
}

// TellOnce is TellChanges for a change that is not about an app. text is what changed on this
// server; "": nothing. It counts as told under the name then too.
func (s *Server) TellOnce(ctx context.Context, name, text string, log event.Log) error {
	l, err := s.Env.Store.LockApp(ctx, store.SettingsLock, "telling what an update changes", log)
	if err != nil {
		return err
	}
	defer l.Release()
	told, err := s.told()
	if err != nil || slices.Contains(told.Told, name) {
		return err
	}
	if text != "" {
		log.Warn("%s", text)
	}
	return s.Env.Store.WriteJSON(s.Env.Store.Own(toldFile), toldChanges{app.Version, append(told.Told, name)})
}
