package vault

import (
	"context"
	"fmt"
	"sync"
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
	if p.Timeout == "" {
		p.Timeout = j.Base.Timeout
	}
	if p.Keep == 0 && p.KeepDays == 0 {
		p.Keep, p.KeepDays = j.Base.Keep, j.Base.KeepDays
	}
	return p, err
}

// parallel is the number of backups that are made at the same time: one that hangs does not
// keep the others. Each holds parts of an upload in memory.
const parallel = 2

// A Runner makes the backups that are due. Its loss costs nothing: the logs have all that
// counts.
type Runner struct {
	// Jobs returns what has a plan.
	Jobs func() ([]Job, error)
	Tell func(journal.Event)
	Log  event.Log
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	once  sync.Once
	slots chan struct{}
	wait  sync.WaitGroup
	mu    sync.Mutex
	runs  map[string]bool // the folders of the vaults whose backups are made
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
	defer r.wait.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.begin(ctx)
		}
	}
}

// Look makes what is due.
func (r *Runner) Look(ctx context.Context) {
	r.begin(ctx)
	r.wait.Wait()
}

// begin begins what is due. While parallel backups are under way, it waits for one of them.
func (r *Runner) begin(ctx context.Context) {
	r.once.Do(func() { r.slots, r.runs = make(chan struct{}, parallel), map[string]bool{} })
	jobs, err := r.Jobs()
	if err != nil {
		return // the agent's loop says so
	}
	for _, j := range jobs {
		if due, err := j.Due(r.now()); err != nil || !due || ctx.Err() != nil {
			continue // the doctor tells of a plan that cannot be read
		}
		if r.running(j.Dir) {
			continue
		}
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		r.set(j.Dir, true)
		r.wait.Go(func() {
			defer func() { r.set(j.Dir, false); <-r.slots }()
			r.make(ctx, j)
		})
	}
}

// running reports whether the backup of a vault is being made by this runner.
func (r *Runner) running(dir string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[dir]
}

func (r *Runner) set(dir string, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[dir] = on
}

// make makes a backup that is due, and tells how it ended.
func (r *Runner) make(ctx context.Context, j Job) {
	b, made, err := j.runDue(ctx, r.now, r.Log)
	if !made || ctx.Err() != nil {
		return
	}
	e := journal.Event{Event: journal.Backup, App: j.App, Text: j.About}
	if err != nil {
		e.Error = oneLine(err)
		r.Log.WithApp(j.App).Warn("The backup of %s failed: %s", j.About, e.Error)
	} else {
		e.Text = fmt.Sprintf("%s: %s", j.About, b.Summary())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Tell(e)
}

// Summary says what a proven backup is: "12MB, 3 apps".
func (b Backup) Summary() string {
	return fmt.Sprintf("%s, proven: %s", units.HumanSize(float64(b.Size)), b.Found)
}
