package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/docker/go-units"

	"dokku/agent/event"
	"dokku/agent/journal"
)

// A Job is something whose backups have a plan.
type Job struct {
	Vault
	Source
	// About names it in messages: "the server", "the service db (postgres)".
	About string
	// App is the app that it belongs to; "": none.
	App string
	// Try is the command that makes a backup.
	Try string
	// Base is the plan of the server, whose place, access and encryption count where the job's
	// own plan has none.
	Base Plan
}

// Plan returns the job's plan together with Base.
func (j Job) Plan() (Plan, error) {
	p, err := j.Vault.Plan()
	if p.Place == "" {
		p.Place = j.Base.Place
	}
	if p.Access == (Access{}) {
		p.Access = j.Base.Access
	}
	if !p.Encrypts() {
		p.Keys, p.Passphrase = j.Base.Keys, j.Base.Passphrase
	}
	if p.Keep == 0 && p.KeepDays == 0 {
		p.Keep, p.KeepDays = j.Base.Keep, j.Base.KeepDays
	}
	return p, err
}

// A Runner makes the backups that are due, one after the other. Its loss costs nothing: the
// logs have all that counts.
type Runner struct {
	// Jobs returns what has a plan.
	Jobs func() ([]Job, error)
	Tell func(journal.Event)
	Log  event.Log
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

func (r *Runner) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// Run looks at each tick until ctx is done.
func (r *Runner) Run(ctx context.Context, tick time.Duration) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.Look(ctx)
		}
	}
}

// Look makes what is due.
func (r *Runner) Look(ctx context.Context) {
	jobs, err := r.Jobs()
	if err != nil {
		return // the agent's loop says so
	}
	for _, j := range jobs {
		if due, err := j.Due(r.now()); err != nil || !due || ctx.Err() != nil {
			continue // the doctor tells of a plan that cannot be read
		}
		b, made, err := j.runDue(ctx, r.now, r.Log)
		if !made || ctx.Err() != nil {
			continue
		}
		e := journal.Event{Event: journal.Backup, App: j.App, Text: j.About}
		if err != nil {
			e.Error = oneLine(err)
			r.Log.WithApp(j.App).Warn("The backup of %s failed: %s", j.About, e.Error)
		} else {
			e.Text = fmt.Sprintf("%s: %s", j.About, b.Summary())
		}
		r.Tell(e)
	}
}

// Summary says what a proven backup is: "12MB, 3 apps".
func (b Backup) Summary() string {
	return fmt.Sprintf("%s, proven: %s", units.HumanSize(float64(b.Size)), b.Found)
}
