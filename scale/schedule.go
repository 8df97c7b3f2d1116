package scale

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// A Schedule says in which minutes a cron task is due.
type Schedule struct {
	spec *cron.SpecSchedule // nil: every counts
	// zoned: the schedule names its time zone.
	zoned bool
	every time.Duration
}

// cronParser accepts what Dokku 0.38 accepts: five fields, or a descriptor.
var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// everyHour is the bit of a field of robfig/cron that was written as a star.
const everyHour = 1 << 63

// ParseSchedule reads a schedule: "0 3 * * *", "@daily", "@every 15m", or one of these after
// "CRON_TZ=Europe/Berlin ". The error says what is wrong, and how to write it.
func ParseSchedule(text string) (Schedule, error) {
	text = strings.TrimSpace(text)
	zoned := strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=")
	rest := text
	if zoned {
		var found bool // the parser panics without a space
		if _, rest, found = strings.Cut(text, " "); !found {
			return Schedule{}, errors.New("the time zone has no schedule behind it: write CRON_TZ=Europe/Berlin 0 3 * * *")
		}
		rest = strings.TrimSpace(rest)
	}
	switch n := len(strings.Fields(rest)); {
	case rest == "":
		return Schedule{}, errors.New(`it is empty: write five fields such as "0 3 * * *", or @daily`)
	case strings.HasPrefix(rest, "@every"):
		return parseEvery(rest)
	case strings.HasPrefix(rest, "@reboot"):
		return Schedule{}, errors.New("@reboot is not supported: write a process in the Procfile, or a time such as @daily")
	case !strings.HasPrefix(rest, "@") && n == 6:
		return Schedule{}, errors.New("it has 6 fields, and seconds are not supported: write minute, hour, day of the month, month and day of the week")
	case !strings.HasPrefix(rest, "@") && n != 5:
		return Schedule{}, fmt.Errorf("the number of fields is %d: write the five of minute, hour, day of the month, month and day of the week", n)
	}
	s, err := cronParser.Parse(text)
	if err != nil {
		return Schedule{}, fmt.Errorf(`%w: write five fields such as "0 3 * * *", or @hourly, @daily, @weekly, @monthly, @yearly`, err)
	}
	spec := s.(*cron.SpecSchedule)
	if spec.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, errors.New("no such date exists: write one that comes")
	}
	return Schedule{spec: spec, zoned: zoned}, nil
}

// parseEvery reads "@every 15m".
func parseEvery(text string) (Schedule, error) {
	d, err := time.ParseDuration(strings.TrimSpace(strings.TrimPrefix(text, "@every")))
	if err != nil || d < time.Minute || d%time.Minute != 0 {
		return Schedule{}, errors.New("the time between two runs is not of whole minutes: write @every 5m, or @every 1h30m")
	}
	return Schedule{every: d}, nil
}

// Next returns the first minute after a time at which the task is due. zone counts unless
// the schedule names one. A task whose hours are not a star runs once where the clock shows
// an hour twice (the first time), and at the end of an hour that the clock leaves out.
// "@every" counts from midnight of the year 1 in UTC.
func (s Schedule) Next(after time.Time, zone *time.Location) time.Time {
	if s.spec == nil {
		return after.Truncate(s.every).Add(s.every)
	}
	spec := *s.spec
	if !s.zoned {
		spec.Location = zone
	}
	after = after.In(spec.Location)
	next := spec.Next(after)
	if spec.Hour&everyHour != 0 {
		return next
	}
	for !next.IsZero() && repeated(next) {
		next = spec.Next(next)
	}
	for at := after; !next.IsZero(); {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.After(next) {
			break
		}
		if skips(spec, at, end) {
			return end
		}
		at = end
	}
	return next
}

// repeated reports whether the clock shows the time t for the second time.
func repeated(t time.Time) bool {
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return false
	}
	_, now := t.Zone()
	_, before := start.Add(-time.Second).Zone()
	return t.Sub(start) < time.Duration(before-now)*time.Second
}

// skips reports whether the clock leaves out a time of the schedule when it changes at end,
// which is the next change after at.
func skips(spec cron.SpecSchedule, at, end time.Time) bool {
	_, before := at.Zone()
	_, after := end.Zone()
	gap := time.Duration(after-before) * time.Second
	if gap <= 0 {
		return false
	}
	spec.Location = time.UTC
	shown := end.UTC().Add(time.Duration(before) * time.Second) // as the clock would show it
	return spec.Next(shown.Add(-time.Second)).Before(shown.Add(gap))
}
