package oneoff

import (
	"context"
	"fmt"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/engine"
)

// room returns a *FullError if as many commands and cron tasks run as may. Commands that begin
// at the same moment do not see each other; package cron counts its own tasks besides.
func room(ctx context.Context, s *agent.Server, name string) error {
	v, err := s.View(name)
	if err != nil {
		return err
	}
	host, err := s.Env.Engine(v.Settings)
	if err != nil {
		return err
	}
	members, err := host.Members(ctx)
	if err != nil {
		return err
	}
	own, all := 0, 0
	for _, m := range members {
		if !m.OneOff || m.Network != engine.NetworkName(m.App) {
			continue
		}
		if all++; m.App == v.Name || m.App == v.Former() {
			own++
		}
	}
	return Room(v, own, all)
}

// Room returns a *FullError if one more command or cron task of an app is too many: own of
// the app run, and all of all apps.
func Room(v app.View, own, all int) error {
	most, err := v.PSNumber(app.PropMaxRuns)
	if err == nil && own >= most {
		return &FullError{fmt.Sprintf("%s runs %d commands and cron tasks at the same time", v.Name, own), fmt.Sprintf("dokku ps:set %s %s NUMBER", v.Name, app.PropMaxRuns), most}
	}
	if err == nil {
		most, err = v.PSNumber(app.PropServerRuns)
	}
	if err == nil && all >= most {
		return &FullError{fmt.Sprintf("the apps of this server run %d commands and cron tasks at the same time", all), fmt.Sprintf("dokku ps:set --global %s NUMBER", app.PropServerRuns), most}
	}
	return err
}

// A FullError says that a command or a cron task was not started because as many run as may.
type FullError struct {
	runs, fix string
	most      int
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%s, and no more than %d may; wait until one ends, or: %s", e.runs, e.most, e.fix)
}
