package watch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/journal"
)

const (
	// crashWindow is the time in which a second end of a process is a crash. One that the
	// engine restarts and that goes on is none.
	crashWindow = 10 * time.Minute
	// wellAfter is how long a process has to run until it is well again.
	wellAfter = 5 * time.Minute
	// crashLook is the interval at which the agent looks at processes that crashed.
	crashLook = 10 * time.Second
	// crashFile keeps the crashes over a restart of the agent, which would tell them again.
	crashFile = "crashes.json"
)

// crash is a process that ended lately.
type crash struct {
	Last time.Time `json:"last"` // its last end
	Told bool      `json:"told"` // an event said so; the next one says that it is well
}

// crashes turns the ends of processes into events: one when a process crashes, whatever it
// does then, and one when it is well again.
type crashes struct {
	w      *Controller
	host   engine.Host
	list   map[string]map[string]*crash // by app and process
	looked time.Time
}

func newCrashes(w *Controller, host engine.Host) *crashes {
	c := &crashes{w: w, host: host}
	data, err := os.ReadFile(w.Server.Env.Store.Own(crashFile))
	if err != nil || json.Unmarshal(data, &c.list) != nil || c.list == nil {
		c.list = map[string]map[string]*crash{}
	}
	return c
}

// ended records an end of a process that should run.
func (c *crashes) ended(name string, end app.End) {
	tell := func(kind journal.Kind) {
		c.w.Server.Env.Tell(journal.Event{Event: kind, Time: end.At.UTC(), App: name, Process: end.Process, Text: end.Text(name)}, c.w.log)
	}
	tell(journal.Exit)
	if end.Survived {
		return
	}
	if c.list[name] == nil {
		c.list[name] = map[string]*crash{}
	}
	p := c.list[name][end.Process]
	if p == nil {
		p = &crash{}
		c.list[name][end.Process] = p
	}
	again := end.At.Sub(p.Last) < crashWindow
	p.Last = end.At
	if !p.Told && (again || !end.Restarted) {
		p.Told = true
		tell(journal.Crash)
	}
	c.save()
}

// look finds processes that are well again, or gone.
func (c *crashes) look(ctx context.Context, now time.Time) error {
	if len(c.list) == 0 || now.Sub(c.looked) < crashLook {
		return nil
	}
	c.looked = now
	var failed error
	changed := false
	for _, name := range slices.Collect(maps.Keys(c.list)) {
		processes := c.list[name]
		if now := c.w.present(name); now != name { // it was renamed
			delete(c.list, name)
			name = now
		}
		left, err := c.lookAt(ctx, name, processes, now)
		failed = errors.Join(failed, err)
		changed = changed || len(left) != len(processes)
		if c.list[name] = left; len(left) == 0 {
			delete(c.list, name)
		}
	}
	if changed {
		c.save()
	}
	return failed
}

// lookAt returns those processes of an app that are not well.
func (c *crashes) lookAt(ctx context.Context, name string, processes map[string]*crash, now time.Time) (left map[string]*crash, err error) {
	v, err := c.w.Server.View(name)
	var none *app.NoAppError
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return processes, err
	}
	o, err := deploy.Observe(ctx, c.host, v.App)
	if err != nil {
		return processes, err
	}
	left = map[string]*crash{}
	for process, p := range processes {
		i := slices.IndexFunc(o.Instances, func(i engine.Instance) bool {
			return deploy.Wanted(v, i) && app.Process{Type: i.Type, Index: i.Index}.String() == process
		})
		switch {
		case i < 0 && v.Current != nil && !v.State.Stopped && deploy.WantsProcess(v, process):
			left[process] = p // it is gone, and the agent has yet to start it
		case i < 0: // stopped, or scaled down
		case !p.Told:
			if now.Sub(p.Last) < crashWindow {
				left[process] = p
			}
		case o.Instances[i].Running() && now.Sub(p.Last) >= wellAfter && (o.Instances[i].Placed() || now.Sub(o.Instances[i].Started) >= wellAfter):
			// When a placed one started is written by the clock of another server.
			c.w.Server.Env.Tell(journal.Event{Event: journal.Recover, App: name, Process: process, Text: "runs again"}, c.w.log)
		default:
			left[process] = p
		}
	}
	return left, nil
}

// save keeps the crashes. Their loss costs an event too many.
func (c *crashes) save() {
	if err := c.w.Server.Env.Store.WriteJSON(c.w.Server.Env.Store.Own(crashFile), c.list); err != nil {
		c.w.log.Warn("cannot record crashes: %s", err)
	}
}
