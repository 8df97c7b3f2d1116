package doors

import (
	"context"
	"path/filepath"
	"time"

	"dokku/agent/app"
)

// Reach asks each front door whether it answers. It returns what is to be said of those that
// are left out.
func (p *Proxy) Reach(ctx context.Context) (notes []string, err error) {
	return p.out, p.all(func(d *door) error {
		_, err := d.call(ctx, request{Op: opStatus})
		return err
	}, nil)
}

// Away is since when a front door does not answer the agent; zero: it does.
func (c Config) Away(name string) time.Time {
	return records{filepath.Join(c.Dir, name), c.Disk}.read(awayRecord).Since
}

// LeftOut reports whether changes go on without a front door, since it has been away for longer
// than its admin wants to wait.
func (c Config) LeftOut(name string, d app.FrontDoor) bool {
	since := c.Away(name)
	return d.LeaveOut > 0 && !since.IsZero() && time.Since(since) >= time.Duration(d.LeaveOut)*time.Second
}

// NoteAway records that a front door does not answer.
func (c Config) NoteAway(ctx context.Context, name string) error {
	return records{filepath.Join(c.Dir, name), c.Disk}.change(ctx, awayRecord, func(was record) record {
		if was.Since.IsZero() {
			was.Since = time.Now().UTC().Truncate(time.Second)
		}
		return was
	})
}

// NoteBack records that a front door answers again. Everything that it has proven is forgotten
// before that, since changes may have gone on without it: until it has proven a route again,
// that counts as not live.
func (c Config) NoteBack(ctx context.Context, name string) error {
	if err := c.Doubt(ctx, name); err != nil {
		return err
	}
	return records{filepath.Join(c.Dir, name), c.Disk}.remove(awayRecord)
}
