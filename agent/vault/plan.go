package vault

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"dokku/scale"
)

var (
	// ErrNone: there is no such backup.
	ErrNone = errors.New("there is no such backup")
	// ErrNoPlace: nobody has said where backups go.
	ErrNoPlace = errors.New("there is no place for backups yet")
	// ErrNoAccess: a place in S3 has no access key.
	ErrNoAccess = errors.New("there is no access key for S3 yet")
	// ErrBusy: a backup of the same thing is under way.
	ErrBusy = errors.New("a backup of it is under way")
)

const (
	// DefaultKeep is the number of backups that stay.
	DefaultKeep = 7
	// MaxKeep and MaxKeepDays bound what stays.
	MaxKeep, MaxKeepDays = 1000, 3650
	// DefaultTimeout is how long a backup may take, with its proof.
	DefaultTimeout = 12 * time.Hour
	// minTimeout and maxTimeout bound it.
	minTimeout, maxTimeout = time.Minute, 7 * 24 * time.Hour
	// clockBack is how far a clock may be set back so that a schedule waits for it. One that is
	// set back by more was wrong before.
	clockBack = 3 * time.Hour
	// firstRetry is the pause after a scheduled backup that failed. It doubles each time, up to
	// lastRetry.
	firstRetry, lastRetry = 10 * time.Minute, 6 * time.Hour
)

// A Plan says when something is backed up, and where to. The zero Plan does nothing.
type Plan struct {
	// Schedule is in the form of scale.ParseSchedule; "": backups are made when asked for.
	Schedule string `json:"schedule,omitempty"`
	// Since is when Schedule was set. Nothing was due before.
	Since time.Time `json:"since,omitzero"`
	// Place is s3://BUCKET[/FOLDER], or the path of a folder of this host.
	Place string `json:"place,omitempty"`
	// Keep is the number of backups that stay; 0: DefaultKeep. Those of more than KeepDays
	// days go too; 0: any age stays. The last proven one always stays.
	Keep     int `json:"keep,omitempty"`
	KeepDays int `json:"keep_days,omitempty"`
	// Timeout is how long a backup may take, as time.ParseDuration reads it; "":
	// DefaultTimeout.
	Timeout string `json:"timeout,omitempty"`
	// Keys are the public keys to which backups are encrypted. Passphrase comes before them.
	Keys       []string `json:"keys,omitempty"`
	Passphrase string   `json:"passphrase,omitempty"`
	Access     Access   `json:"access,omitzero"`
}

// Kept is the number of backups that stay.
func (p Plan) Kept() int {
	if p.Keep == 0 {
		return DefaultKeep
	}
	return p.Keep
}

// Limit is how long a backup may take.
func (p Plan) Limit() time.Duration {
	if d, err := ParseTimeout(p.Timeout); err == nil && d > 0 {
		return d
	}
	return DefaultTimeout
}

// ParseTimeout reads how long a backup may take, such as "90m"; "" is 0, the default.
func ParseTimeout(value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < minTimeout || d > maxTimeout {
		return 0, fmt.Errorf("%.40q is not a time from 1m to 168h, such as 90m or 6h", value)
	}
	return d, nil
}

// Check returns an error if a value of the plan is invalid: a file can be edited by hand.
func (p Plan) Check() error {
	if p.Place != "" {
		if err := CheckPlace(p.Place); err != nil {
			return err
		}
	}
	if p.Schedule != "" {
		if _, err := scale.ParseSchedule(p.Schedule); err != nil {
			return err
		}
	}
	if p.Access.Endpoint != "" {
		if err := CheckEndpoint(p.Access.Endpoint); err != nil {
			return err
		}
	}
	if _, err := ParseTimeout(p.Timeout); err != nil {
		return err
	}
	for _, key := range p.Keys {
		if err := CheckKey(key); err != nil {
			return err
		}
	}
	return nil
}

// ParseKeep reads a number of backups or days from 1 to most; "" is 0, the default.
func ParseKeep(value string, most int) (int, error) {
	if value == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%.40q is not a number from 1 to %d", value, most)
	}
	return n, nil
}

// due reports whether a time of the schedule has come that is not handled.
func (p Plan) due(l Log, now time.Time) bool {
	if p.Schedule == "" || p.Place == "" {
		return false
	}
	s, err := scale.ParseSchedule(p.Schedule)
	if err != nil {
		return false // Check says so
	}
	handled := l.Handled
	// A schedule that was set while the clock was far ahead counts from the first backup on.
	if handled.Before(p.Since) && p.Since.Sub(now) <= clockBack {
		handled = p.Since
	}
	if handled.Sub(now) > clockBack {
		return true
	}
	if next := s.Next(handled, now.Location()); !next.IsZero() && !next.After(now) {
		return true
	}
	again := l.retry()
	return !again.IsZero() && !again.After(now)
}

// Next returns the next time of the schedule; the zero time if there is none.
func (p Plan) Next(now time.Time) time.Time {
	s, err := scale.ParseSchedule(p.Schedule)
	if p.Schedule == "" || err != nil {
		return time.Time{}
	}
	return s.Next(now, now.Location())
}
