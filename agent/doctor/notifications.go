package doctor

import (
	"context"
	"fmt"
	"time"

	"dokku/agent/app"
	"dokku/agent/notify"
	"dokku/agent/text"
)

// silentFor is how long a hook has to fail until somebody should look at it: receivers have
// restarts and outages of their own.
const silentFor = time.Hour

// checkServerHooks reports the hooks of all apps that take nothing. Without one there is no
// finding.
func (d *examination) checkServerHooks(context.Context) []Finding {
	return d.checkHooks("--global", d.set.Hooks)
}

// checkHooks reports the hooks of owner, an app or "--global", that have taken no
// notification for long.
func (d *examination) checkHooks(owner string, hooks []app.Hook) []Finding {
	const check = "notifications"
	var list []Finding
	q := notify.Queue{Dir: d.Server.Env.Store.Notifications()}
	for _, h := range hooks {
		s := q.State(h.ID)
		if s.Error == "" {
			continue
		}
		waiting, err := q.Pending(h.ID)
		if err != nil {
			list = append(list, wrong(check, HealthWarning, "", "%s", err))
			continue
		}
		var lost string
		switch {
		case len(waiting) > 0 && time.Since(waiting[0].Event.Time) >= silentFor:
			lost = fmt.Sprintf("%s wait, the oldest since %s", text.Plural(len(waiting), "notification"), waiting[0].Event.Time.Format(time.RFC3339))
		case len(waiting) == 0: // the last one was given up
			lost = "the last one was given up"
		default:
			continue
		}
		list = append(list, wrong(check, HealthWarning, fmt.Sprintf("dokku notify:test %s %s tries it; dokku notify:remove %[1]s %[2]s", owner, h.ID),
			"%s (%s) takes none: %s; %s", h.Shown(), h.ID, s.Error, lost))
	}
	if len(hooks) > 0 && list == nil {
		return fine(check, "no address has failed for long")
	}
	return list
}
