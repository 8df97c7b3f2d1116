package run

import (
	"slices"
	"sync"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/engine"
)

// lateRecord is how long the agent may take to record an end. After that time an end without a
// record is shown as the engine knows it: no agent ran then.
const lateRecord = 5 * time.Second

// An endReader reads why and when the processes of an app ended.
type endReader struct {
	call  *cli.Call
	shown map[string]time.Time // the last end that was read, by container
	warn  sync.Once
}

func newEndReader(c *cli.Call) *endReader { return &endReader{call: c, shown: map[string]time.Time{}} }

// read returns the ends of containers that were not read before. A nil reader has none.
// The logs are shown even if the file of ends cannot be read.
func (r *endReader) read(a *app.App, instances []engine.Instance) (lines []logLine, err error) {
	if r == nil {
		return nil, nil
	}
	ends, err := r.call.Server.Env.Store.Ends(a.Name)
	if err != nil {
		r.warn.Do(func() { r.call.Warn("The lines about ended processes are missing: %s", err) })
	}
	v, err := r.call.View(a)
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		own := slices.DeleteFunc(slices.Clone(ends), func(e app.End) bool { return e.Container != i.ID })
		if unrecorded(own, i) && deploy.Wanted(v, i) {
			own = append(own, deploy.EndOf(i, i.Finished, i.ExitCode))
		}
		for _, e := range own {
			if e.At.After(r.shown[i.ID]) {
				r.shown[i.ID] = e.At
				lines = append(lines, logLine{processName(i), e.At.UTC().Format(time.RFC3339Nano), e.At, "dokku: " + r.call.Hints(e.Text(a.Name))})
			}
		}
	}
	return lines, nil
}

// unrecorded reports whether a container has ended, and the agent has not recorded that in
// time. The times of the engine's event and of its description differ by a moment.
func unrecorded(ends []app.End, i engine.Instance) bool {
	if i.Status != engine.StatusExited || i.Finished.IsZero() || time.Since(i.Finished) < lateRecord {
		return false
	}
	return !slices.ContainsFunc(ends, func(e app.End) bool { return e.At.After(i.Finished.Add(-time.Second)) })
}
