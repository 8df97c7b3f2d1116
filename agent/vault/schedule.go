package vault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/docker/go-units"

	"dokku/agent/disk"
	"dokku/agent/event"
)

// Due reports whether the agent has to make a backup now.
func (j Job) Due(now time.Time) (bool, error) {
	p, err := j.Plan()
	if err != nil || p.Schedule == "" {
		return false, err
	}
	l, err := j.Log()
	return err == nil && p.due(l, now), err
}

// runDue makes the backup that is due. made is false if somebody else has it, or had it.
func (j Job) runDue(ctx context.Context, now func() time.Time, log event.Log) (b Backup, made bool, err error) {
	p, err := j.Plan()
	if err != nil {
		return b, false, err
	}
	b, err = j.Run(ctx, p, j.Source, Options{Scheduled: true, Now: now}, log)
	if errors.Is(err, ErrBusy) || errors.Is(err, errNotDue) {
		return b, false, nil
	}
	return b, true, err
}

// hangs is how long a backup may go on after its time before it is said to hang: what cannot
// be stored is removed.
const hangs = 5 * time.Minute

// held reports whether some process makes a backup.
func (v Vault) held() bool {
	lock, err := disk.OpenLock(filepath.Join(v.Dir, runLock), 0o600)
	if err != nil {
		return false
	}
	defer lock.Close()
	ok, err := disk.TryLock(lock, disk.Shared)
	return err == nil && !ok
}

// Ailment says what is wrong with the backups of a plan with a schedule; "": nothing. An
// attempt that is under way is not judged.
func (j Job) Ailment(now time.Time) (string, error) {
	p, err := j.Plan()
	if err != nil {
		return "", err
	}
	if p.Schedule == "" {
		return "", nil
	}
	l, err := j.Log()
	if err != nil {
		return "", err
	}
	if last, any := l.Last(func(Backup) bool { return true }); any && !last.Over && now.Sub(last.At) > p.Limit()+hangs && j.held() {
		return fmt.Sprintf("the backup of %s hangs: it had to end within %s; dokku agent has to be restarted, or the program that made it",
			last.At.In(now.Location()).Format("2006-01-02 15:04"), units.HumanDuration(p.Limit())), nil
	}
	proven, ok := l.Last(Proven)
	since := "there is no proven backup yet"
	if ok {
		since = "the last proven backup is of " + proven.At.In(now.Location()).Format("2006-01-02 15:04")
	}
	if last, any := l.Last(Over); any && !last.Proven {
		return fmt.Sprintf("the backup of %s failed: %s; %s", last.At.In(now.Location()).Format("2006-01-02 15:04"), last.Error, since), nil
	}
	from := p.Since
	if ok && proven.At.After(from) {
		from = proven.At
	}
	// The time after the next one: the next one may be under way.
	if next := p.Next(p.Next(from)); !next.IsZero() && next.Before(now.Add(-time.Hour)) {
		return "backups are overdue: " + since, nil
	}
	return "", nil
}
