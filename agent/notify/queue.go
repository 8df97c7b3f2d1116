package notify

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/journal"
)

// MaxPending is the number of notifications that wait for a hook.
const MaxPending = 200

// Notification is an event on its way to a hook.
type Notification struct {
	// ID is the same for all attempts, so that a receiver can leave out repeats.
	ID string `json:"id"`
	// App owns the hook; "": the server.
	App   string        `json:"app,omitempty"`
	Event journal.Event `json:"event"`
	// Attempts is how often it was tried, and Next when it is tried again.
	Attempts int       `json:"attempts,omitempty"`
	Next     time.Time `json:"next,omitzero"`
	path     string
}

// State is what became of the notifications of a hook. It is a record for people.
type State struct {
	// LastTry is when the hook was last tried, with the HTTP status (0: none) and the error.
	LastTry   time.Time `json:"last_try,omitzero"`
	Status    int       `json:"status,omitempty"`
	Error     string    `json:"error,omitempty"`
	Delivered time.Time `json:"delivered,omitzero"` // the last success
	Dropped   int       `json:"dropped,omitempty"`  // how many were given up
}

// Queue is the folder of the notifications that wait.
type Queue struct{ Dir string }

const (
	stateFile = "state.json"
	suffix    = ".notice"
)

func (q Queue) folder(hook string) string { return filepath.Join(q.Dir, filepath.Base(hook)) }

// Add puts an event into the queue of a hook. owner is the app that has the hook; "": the
// server. dropped is the number of old notifications that had to go for it.
func (q Queue) Add(h app.Hook, owner string, e journal.Event) (dropped int, err error) {
	if err := os.MkdirAll(q.folder(h.ID), 0o700); err != nil {
		return 0, err
	}
	waiting, err := q.names(h.ID)
	if err != nil {
		return 0, err
	}
	for ; len(waiting) >= MaxPending; waiting = waiting[1:] {
		os.Remove(filepath.Join(q.folder(h.ID), waiting[0]))
		dropped++
	}
	id := rand.Text()
	n := &Notification{ID: "msg_" + id, App: owner, Event: e,
		path: filepath.Join(q.folder(h.ID), fmt.Sprintf("%020d-%s%s", e.Time.UnixNano(), id, suffix))}
	return dropped, n.save()
}

func (n *Notification) save() error { return write(n.path, n) }

// write replaces a file without a sync. The file's folder has to exist: who removes a hook
// removes it, and nothing may bring it back.
func write(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return disk.ReplaceUnsynced(path, data)
}

// names are the files of the notifications of a hook, the oldest first.
func (q Queue) names(hook string) (names []string, err error) {
	entries, err := os.ReadDir(q.folder(hook))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Pending returns the notifications that wait for a hook, the oldest first. It removes
// those that cannot be read: a loss of power cut them off.
func (q Queue) Pending(hook string) (list []*Notification, err error) {
	names, err := q.names(hook)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		n := &Notification{path: filepath.Join(q.folder(hook), name)}
		data, err := os.ReadFile(n.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if json.Unmarshal(data, n) != nil || n.ID == "" {
			os.Remove(n.path)
			continue
		}
		list = append(list, n)
	}
	return list, nil
}

// due returns the notification that is to be tried now, of those that were tried least the
// oldest; nil: none is.
func due(list []*Notification, now time.Time) *Notification {
	list = slices.DeleteFunc(slices.Clone(list), func(n *Notification) bool { return n.Next.After(now) })
	if len(list) == 0 {
		return nil
	}
	return slices.MinFunc(list, func(a, b *Notification) int { return cmp.Compare(a.Attempts, b.Attempts) })
}

// Hooks are the ids of the hooks that have a folder.
func (q Queue) Hooks() (ids []string, err error) {
	entries, err := os.ReadDir(q.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	return ids, err
}

// Forget removes what waits for a hook, and its state.
func (q Queue) Forget(hook string) error { return os.RemoveAll(q.folder(hook)) }

// State returns what became of a hook's notifications.
func (q Queue) State(hook string) (s State) {
	data, err := os.ReadFile(filepath.Join(q.folder(hook), stateFile))
	if err != nil || json.Unmarshal(data, &s) != nil {
		return State{}
	}
	return s
}

// note changes the state of a hook. Of two processes that do so at once the last one wins.
func (q Queue) note(hook string, change func(*State)) error {
	s := q.State(hook)
	change(&s)
	return write(filepath.Join(q.folder(hook), stateFile), s)
}

// Took records that a hook has taken a test: what it did not take before is no reason for a
// warning any more. A hook that was never used has no record.
func (q Queue) Took(hook string, status int, at time.Time) error {
	err := q.note(hook, func(s *State) { s.LastTry, s.Status, s.Error, s.Delivered = at.UTC(), status, "", at.UTC() })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweep removes what was written before a time: the folder of an unknown hook, and the
// temporary files of a known one.
func (q Queue) sweep(hook string, known bool, before time.Time) error {
	info, err := os.Stat(q.folder(hook))
	if err == nil && !known && info.ModTime().Before(before) {
		return q.Forget(hook)
	}
	entries, err := os.ReadDir(q.folder(hook))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		info, ierr := e.Info()
		if e.Name() != stateFile && !strings.HasSuffix(e.Name(), suffix) && ierr == nil && info.ModTime().Before(before) {
			os.Remove(filepath.Join(q.folder(hook), e.Name()))
		}
	}
	return err
}
