package vault

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/agent/journal"
)

// clock is a schedule's test: a vault whose backups are made when they are due.
type clock struct {
	t    *testing.T
	v    Vault
	now  time.Time
	made []string // the times of the backups
	fail bool
}

func newClock(t *testing.T, schedule, now string) *clock {
	c := &clock{t: t, v: newVault(t)}
	c.set(now)
	place := filepath.Join(t.TempDir(), "kept")
	check(t, c.v.Change(t.Context(), c.now, func(p *Plan) error { p.Place, p.Schedule, p.Keep = place, schedule, 100; return nil }))
	return c
}

const layout = "2006-01-02 15:04"

func (c *clock) set(now string) {
	at, err := time.Parse(layout, now)
	check(c.t, err)
	c.now = at
}

// look does what the agent does at a tick.
func (c *clock) look() {
	src := source("x")
	if c.fail {
		src.Dump = func(context.Context, io.Writer) error { return errors.New("it is down") }
	}
	r := &Runner{Jobs: func() ([]Job, error) { return []Job{{Vault: c.v, Source: src, About: "db"}}, nil }, Now: func() time.Time { return c.now },
		Tell: func(e journal.Event) {
			c.made = append(c.made, c.now.Format(layout))
			if (e.Error != "") != c.fail || e.Event != journal.Backup || !strings.HasPrefix(e.Text, "db") {
				c.t.Errorf("%s: told %+v", c.now, e)
			}
		}}
	r.Look(c.t.Context())
}

// until looks each minute.
func (c *clock) until(end string) {
	for c.now.Format(layout) < end {
		c.now = c.now.Add(time.Minute)
		c.look()
	}
}

func (c *clock) want(made ...string) {
	c.t.Helper()
	if got := strings.Join(c.made, ", "); got != strings.Join(made, ", ") {
		c.t.Errorf("backups at %s, want %s", got, strings.Join(made, ", "))
	}
	c.made = nil
}

func (c *clock) ailment(want string) {
	c.t.Helper()
	got, err := Job{Vault: c.v}.Ailment(c.now)
	if err != nil || want == "" && got != "" || !strings.Contains(got, want) {
		c.t.Errorf("%s: the ailment is %q, %v", c.now, got, err)
	}
}

func TestBackupSchedule(t *testing.T) {
	c := newClock(t, "0 3 * * *", "2026-03-01 12:00")
	c.until("2026-03-03 04:00")
	c.want("2026-03-02 03:00", "2026-03-03 03:00")
	// Set back within the hours that were handled.
	c.set("2026-03-03 02:30")
	c.until("2026-03-04 03:30")
	c.want("2026-03-04 03:00")
	// Off for three days: one backup makes up for all.
	c.set("2026-03-07 10:00")
	c.until("2026-03-08 04:00")
	c.want("2026-03-07 10:01", "2026-03-08 03:00")
	c.ailment("")
	// The clock was years ahead.
	c.set("2031-01-01 00:00")
	c.look()
	c.set("2026-03-08 12:00")
	c.until("2026-03-09 04:00")
	c.want("2031-01-01 00:00", "2026-03-08 12:01", "2026-03-09 03:00")
}

// TestClockAhead: a schedule that was set with a clock years ahead makes one backup when it is
// set right, and then those of the schedule.
func TestClockAhead(t *testing.T) {
	c := newClock(t, "0 3 * * *", "2031-01-01 00:00")
	c.set("2026-03-01 12:00")
	c.until("2026-03-02 04:00")
	c.want("2026-03-01 12:01", "2026-03-02 03:00")
}

func TestBackupRetries(t *testing.T) {
	c := newClock(t, "0 3 * * *", "2026-03-01 12:00")
	c.ailment("")
	c.fail = true
	c.until("2026-03-02 09:00")
	c.want("2026-03-02 03:00", "2026-03-02 03:10", "2026-03-02 03:30", "2026-03-02 04:10", "2026-03-02 05:30", "2026-03-02 08:10")
	c.ailment("the backup of 2026-03-02 08:10 failed: cannot dump it: it is down; there is no proven backup yet")
	c.fail = false
	c.until("2026-03-03 04:00")
	c.want("2026-03-02 13:30", "2026-03-03 03:00")
	c.ailment("")
	// Nobody makes them any more.
	c.set("2026-03-04 12:00")
	c.ailment("")
	c.set("2026-03-05 04:30")
	c.ailment("backups are overdue: the last proven backup is of 2026-03-03 03:00")
}
