package backup

import (
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
)

// settingsAfter returns the server's settings as they are after the restore.
func (x *restore) settingsAfter(set app.Settings) (app.Settings, error) {
	from, ok, err := x.settingsOf()
	if ok && err == nil && len(x.o.Apps) == 0 {
		if err = x.checkServer(&from); err == nil {
			mergeSettings(&set, from, x.o.Force)
		}
	}
	return set, err
}

// checkServer checks the settings of the backup, and takes out what may not come over ssh.
func (x *restore) checkServer(from *app.Settings) error {
	if err := checkServer(from); err != nil {
		return err
	}
	if x.o.Server == nil {
		return nil
	}
	here, err := x.Server.Env.Store.Settings()
	if err != nil {
		return err
	}
	left, err := x.o.Server(here, from)
	x.leftOut("The server is", left)
	return err
}

// checkState checks an app's state, and takes out what may not come over ssh.
func (x *restore) checkState(v app.View) error {
	if err := checkState(v); err != nil || x.o.Properties == nil {
		return err
	}
	left, err := x.o.Properties(v.Settings, &v.State)
	x.leftOut(v.Name+" is", left)
	return err
}

// note says once what is left out of the restore, as soon as that is not refused.
func (x *restore) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if slices.Contains(x.notes, line) {
		return
	}
	if x.notes = append(x.notes, line); x.told {
		x.log.Warn("%s", line)
	}
}

// tell prints the notes, since the restore begins.
func (x *restore) tell() {
	for _, line := range x.notes {
		x.log.Warn("%s", line)
	}
	x.told = true
}

// leftOut notes what is not restored since only somebody on the server may set it.
func (x *restore) leftOut(who string, what []string) {
	if len(what) == 0 {
		return
	}
	slices.Sort(what)
	x.note("%s restored without what cannot be set over ssh (%s): restore it on the server, or set it there", who, strings.Join(what, ", "))
}
