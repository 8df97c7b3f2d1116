package doors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"dokku/agent/disk"
)

// A record is what is known of an app's route at a front door.
type record struct {
	// Route is the identity of the view that the front door has proven; "": something else
	// may be live there.
	Route string `json:"route,omitempty"`
	// Token is what the front door calls it.
	Token string `json:"token,omitempty"`
	// May are the processes that the front door may send requests to.
	May []netip.AddrPort `json:"may,omitempty"`
	// Since is of awayRecord alone: when the front door did not answer for the first time.
	Since time.Time `json:"since,omitzero"`
}

// records are the files about one front door: one for each app, one for the settings, and one
// while it does not answer. A file is replaced in one step, by a process that has the app's lock, or by
// one that only doubts it.
type records struct {
	dir  string
	disk disk.Disk
}

const (
	// settingsRecord is the name of the record of the settings. No app has it.
	settingsRecord = "+settings"
	// awayRecord is there while the front door does not answer the agent.
	awayRecord = "+away"
	// lockFile is that of all records. No front door has its name.
	lockFile = "+lock"
)

func (r records) path(name string) string { return filepath.Join(r.dir, name+".json") }

// read returns a record. One that cannot be read says nothing, so that the next publish
// writes it anew.
func (r records) read(name string) (rec record) {
	text, err := os.ReadFile(r.path(name))
	if err != nil || json.Unmarshal(text, &rec) != nil {
		return record{}
	}
	return rec
}

// change replaces a record by what is made of it, under the lock of all records.
// One that stays the same is not written.
func (r records) change(ctx context.Context, name string, to func(record) record) error {
	err := r.disk.MkdirAll(r.dir, 0o700)
	if err == nil {
		err = r.locked(ctx, func() error {
			was := r.read(name)
			now := to(was)
			if reflect.DeepEqual(was, now) {
				return nil
			}
			text, err := json.Marshal(now)
			if err != nil {
				return err
			}
			return r.disk.Replace(r.path(name), append(text, '\n'), 0o600)
		})
	}
	if err != nil {
		return fmt.Errorf("cannot write what a front door has: %w", err)
	}
	return nil
}

func (r records) locked(ctx context.Context, do func() error) error {
	f, err := disk.OpenLock(filepath.Join(filepath.Dir(r.dir), lockFile), 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := disk.WaitLock(ctx, f, disk.Exclusive); err != nil {
		return err
	}
	return do()
}

func (r records) remove(name string) error {
	if err := r.disk.Remove(r.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove what a front door had: %w", err)
	}
	return nil
}

// has reports whether there is a record of an app.
func (r records) has(name string) bool {
	_, err := os.Lstat(r.path(name))
	return err == nil
}

// doubted is a record that no longer says what the front door has proven.
func doubted(r record) record { return record{May: r.May} }

// apps are those with a record.
func (r records) apps() (list []string) {
	paths, _ := filepath.Glob(r.path("*"))
	for _, path := range paths {
		if name := strings.TrimSuffix(filepath.Base(path), ".json"); !strings.HasPrefix(name, "+") {
			list = append(list, name)
		}
	}
	return list
}

// union returns the addresses of both lists, each once, those of the first list first.
func union(a, b []netip.AddrPort) []netip.AddrPort {
	all := slices.Clone(a)
	for _, u := range b {
		if !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}
