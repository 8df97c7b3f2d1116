package vault

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dokku/agent/disk"
)

// A Vault is the folder with the plan and the log of the backups of one thing. The folder need
// not exist.
type Vault struct {
	Dir  string
	Disk disk.Disk
}

// The files of a Vault.
const (
	PlanFile = "plan.json"
	logFile  = "backups.json"
	planLock = "plan.lock"
	runLock  = "lock"
)

// keptFailures is the number of failures that the log keeps.
const keptFailures = 20

// A Backup is an attempt to back something up.
type Backup struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Name is the file's name in Place.
	Name  string `json:"name"`
	Place string `json:"place"`
	// Scheduled: the agent made it by itself.
	Scheduled bool `json:"scheduled,omitempty"`
	// Stored: all of it is in its place. Size is in bytes, as it is stored.
	Stored bool          `json:"stored,omitempty"`
	Size   int64         `json:"size,omitempty"`
	SHA256 string        `json:"sha256,omitempty"`
	Took   time.Duration `json:"took,omitempty"`
	// Proven: it was loaded elsewhere, with what Found says, and read back from its place.
	Proven bool   `json:"proven,omitempty"`
	Found  string `json:"found,omitempty"`
	// Error is why it is not stored, or not proven.
	Error string `json:"error,omitempty"`
	// Over: the attempt has ended.
	Over bool `json:"over,omitempty"`
}

// Log is what a Vault knows of its backups.
type Log struct {
	// Handled: all times of the schedule up to here had their backup, or their attempt.
	Handled time.Time `json:"handled,omitzero"`
	Backups []Backup  `json:"backups,omitempty"` // in order of time
}

// Last returns the last backup for which ok holds.
func (l Log) Last(ok func(Backup) bool) (Backup, bool) {
	for _, b := range slices.Backward(l.Backups) {
		if ok(b) {
			return b, true
		}
	}
	return Backup{}, false
}

// Proven is for Last.
func Proven(b Backup) bool { return b.Proven }

// Over is for Last.
func Over(b Backup) bool { return b.Over }

// retry returns when a scheduled backup that failed is tried again; the zero time for never.
func (l Log) retry() time.Time {
	pause := firstRetry
	for n, b := range slices.Backward(l.Backups) {
		if b.Proven || !b.Over || !b.Scheduled {
			break
		}
		if n < len(l.Backups)-1 {
			pause = min(2*pause, lastRetry)
		}
	}
	if last, ok := l.Last(Over); ok && last.Scheduled && !last.Proven {
		return last.At.Add(last.Took + pause)
	}
	return time.Time{}
}

// Exists reports whether there is a plan or a log.
func (v Vault) Exists() bool {
	_, err := os.Stat(v.Dir)
	return err == nil
}

// Plan returns the plan; the zero Plan if there is none.
func (v Vault) Plan() (p Plan, err error) {
	err = v.read(PlanFile, &p)
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Join(v.Dir, PlanFile), err)
	}
	return p, err
}

// Log returns the log; an empty one if there is none.
func (v Vault) Log() (l Log, err error) {
	if err = v.read(logFile, &l); err != nil {
		err = fmt.Errorf("%s: %w", filepath.Join(v.Dir, logFile), err)
	}
	return l, err
}

func (v Vault) read(name string, to any) error {
	data, err := os.ReadFile(filepath.Join(v.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

func (v Vault) save(name string, from any) error {
	data, err := json.MarshalIndent(from, "", "  ")
	if err != nil {
		return err
	}
	return v.Disk.Replace(filepath.Join(v.Dir, name), append(data, '\n'), 0o600)
}

// Change changes the plan in one step. A new schedule counts from now on.
func (v Vault) Change(ctx context.Context, now time.Time, change func(*Plan) error) error {
	if err := v.Disk.MkdirAll(v.Dir, 0o700); err != nil {
		return err
	}
	l, err := disk.OpenLock(filepath.Join(v.Dir, planLock), 0o600)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := disk.WaitLock(ctx, l, disk.Exclusive); err != nil {
		return err
	}
	var p Plan
	if err := v.read(PlanFile, &p); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(v.Dir, PlanFile), err)
	}
	before := p.Schedule
	if err := change(&p); err != nil {
		return err
	}
	if err := p.Check(); err != nil {
		return err
	}
	if p.Schedule != before {
		p.Since = now
	}
	return v.save(PlanFile, p)
}

// Fetch opens a backup by its ID, or "" for the last proven one, as it is stored. Where the log
// does not have it, it is looked for in the plan's place. The caller closes it.
func (v Vault) Fetch(ctx context.Context, p Plan, item, id string) (Stored, error) {
	l, err := v.Log()
	if err != nil {
		return Stored{}, err
	}
	b, ok := l.Last(func(b Backup) bool { return b.Stored && (id == b.ID || id == "" && b.Proven) })
	s := Stored{Backup: b, Encrypted: strings.HasSuffix(b.Name, Sealed)}
	if ok {
		p.Place = b.Place
	}
	place, err := Open(p)
	if err != nil {
		return s, err
	}
	if !ok { // another server's, or made before this one was set up
		files, err := place.List(ctx, item)
		if err != nil {
			return s, err
		}
		for _, f := range slices.Backward(files) {
			if i := idOf(f.Name); i != "" && (id == i || id == "") {
				s.Backup, s.Encrypted, ok = Backup{ID: i, Name: f.Name, Place: p.Place, Size: f.Size, Stored: true}, strings.HasSuffix(f.Name, Sealed), true
				break
			}
		}
	}
	if !ok {
		return s, ErrNone
	}
	s.ReadCloser, err = place.Get(ctx, s.Name)
	return s, err
}

// Stored is an open backup.
type Stored struct {
	Backup
	Encrypted bool
	io.ReadCloser
}

// newID returns a name for a backup: its time, and letters that no other server chooses.
func newID(now time.Time) string {
	return now.UTC().Format(idTime) + "-" + strings.ToLower(rand.Text()[:6])
}

const idTime = "20060102T150405Z"

// idOf returns the ID in a file's name; "" if it is no backup's.
func idOf(name string) string {
	base, _, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ".")
	made, _, ok := strings.Cut(base, "-")
	if _, err := time.Parse(idTime, made); err != nil || !ok {
		return ""
	}
	return base
}

// at returns when the backup of an ID was made.
func at(id string) time.Time {
	word, _, _ := strings.Cut(id, "-")
	t, _ := time.Parse(idTime, word)
	return t
}

// Others returns the backups of an item in a plan's place whose names are not known.
func Others(ctx context.Context, p Plan, item string, known map[string]bool) (list []Backup, err error) {
	place, err := Open(p)
	if err != nil {
		return nil, err
	}
	files, err := place.List(ctx, item)
	for _, f := range files {
		if id := idOf(f.Name); id != "" && !known[f.Name] {
			list = append(list, Backup{ID: id, At: at(id), Name: f.Name, Place: p.Place, Size: f.Size, Stored: true})
		}
	}
	return list, err
}
