package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// A Lock is an flock on <root>/.dokku/locks/<name>. The kernel releases it when its
// holder ends. The file contains a note about the holder for messages. Release empties
// it, so a free lock with a note belonged to a killed process.
type Lock struct {
	F *os.File
	// Abandoned reports that a former holder was killed and that its leftovers have not
	// been cleaned up since.
	Abandoned bool
	// Gone: there is no such app, so Release removes the lock's file. Its holder alone may do
	// that: whoever waits for the file finds out (disk.Linked) and takes the lock of a new one.
	Gone bool
}

// Names of locks that are not an app's. No app can have such a name.
const (
	// SettingsLock guards the server's settings.
	SettingsLock = "_server"
	// DomainsLock guards the uniqueness of domains across apps.
	DomainsLock = "_domains"
	// AgentLock is held by the running agent.
	AgentLock = "_agent"
	// OrdersLock is held while certificates are ordered: a CA counts orders.
	OrdersLock = "_letsencrypt"
	// RegistryLock is held while an image is pushed to the registry of this server, and
	// while old ones are collected there, which could take the layers of a new one.
	RegistryLock = "_registry"
	// NodesLock is held while the certificates of the nodes are changed.
	NodesLock = "_nodes"
	// ImagesLock is held while an image is noted that nodes will pull, and while they are
	// told to remove those of apps that are gone.
	ImagesLock = "_images"
)

// Holder is the note in a lock's file: the process that holds the lock, and its step.
type Holder struct {
	PID   int       `json:"pid"`
	Step  string    `json:"step"`
	Since time.Time `json:"since"`
}

// String describes the holder for a person who waits for it.
func (h Holder) String() string {
	return fmt.Sprintf("%s, process %d, for %s", h.Step, h.PID, time.Since(h.Since).Round(time.Second))
}

// ShortWait is how long LockApp waits before it prints a message.
const ShortWait = time.Second

// LockApp takes the lock called app and records step as its holder's work. If it waits
// longer than ShortWait, it logs who holds the lock. It gives up when ctx is done, and with
// NoWait it does not wait for an app: see LockNow.
func (s *Store) LockApp(ctx context.Context, app, step string, log event.Log) (*Lock, error) {
	if s.NoWait && !strings.HasPrefix(app, "_") {
		s.locked.Store(true)
		l, err := s.LockNow(ctx, app, step)
		if busy := new(BusyError); errors.As(err, &busy) {
			busy.Command = true
		}
		return l, err
	}
	s.locked.Store(true)
	for {
		f, err := s.lockFile(app)
		if err != nil {
			return nil, err
		}
		l := &Lock{F: f}
		if err := failpoint.Reach(failpoint.LockAsked); err != nil {
			f.Close()
			return nil, err
		}
		free, err := disk.TryLock(f, disk.Exclusive)
		if !free && err == nil {
			err = s.wait(ctx, l, app, log)
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("gave up waiting for the lock of %s: %w", app, err)
		}
		if disk.Linked(f, s.Own("locks", app)) {
			return l.taken(step)
		}
		f.Close()
	}
}

// Asked reports whether this process has called LockApp: what it does has begun.
func (s *Store) Asked() bool { return s.locked.Load() }

// LockOrders takes the lock of all orders of certificates for an app.
func (s *Store) LockOrders(ctx context.Context, app string, log event.Log) (*Lock, error) {
	return s.LockApp(ctx, OrdersLock, "the certificates of "+app, log)
}

// LockNow takes the lock of an app like LockApp, but waits for the agent's short looks
// alone. Where it is busy for longer, it fails with a *BusyError.
func (s *Store) LockNow(ctx context.Context, app, step string) (*Lock, error) {
	for begun := time.Now(); ; {
		l, free, err := s.TryLock(app, step)
		if free || err != nil {
			return l, err
		}
		text, d := s.busyWith(app)
		if text != "" && (d != nil || time.Since(begun) >= ShortWait) {
			return nil, &BusyError{App: app, With: text, Cancellable: d != nil && !d.Staged}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// BusyError says that something else works on an app.
type BusyError struct {
	App  string
	With string // what, and for how long
	// Cancellable: it is a deploy that deploys:cancel can end.
	Cancellable bool
	// Command: a command does not want to wait, and not a push.
	Command bool
}

func (e *BusyError) Error() string {
	if e.Command {
		help := "Run it again later, or without --no-wait to wait for it"
		if e.Cancellable {
			help += ", or cancel the deploy first: dokku deploys:cancel " + e.App
		}
		return fmt.Sprintf("%s is busy: %s, and this command does not wait (--no-wait)\n%s", e.App, e.With, help)
	}
	help := "Push again later, or without no-wait to wait for it"
	if e.Cancellable {
		help += ", or with -o cancel to take its place"
	}
	return fmt.Sprintf("%s is busy: %s, and this push does not wait (-o no-wait)\n%s", e.App, e.With, help)
}

// busyWith describes what holds the lock of an app, for a person: "ann's push of 1a2b3c4
// (deploy 17) is under way for 12s"; "" if nothing does. d is the deploy; nil if it is none.
func (s *Store) busyWith(name string) (text string, d *app.Deploy) {
	h, busy, _ := s.Peek(name)
	if !busy {
		return "", nil
	}
	if d = s.RunningDeploy(name); d != nil && d.Owner.PID == h.PID {
		return fmt.Sprintf("%s is under way for %s", d, time.Since(d.Began).Round(time.Second)), d
	}
	return h.String(), nil
}

// Busy describes what holds the lock of an app, and how to end it if that is possible; "" if
// nothing does.
func (s *Store) Busy(app string) string {
	text, d := s.busyWith(app)
	switch {
	case text == "" || d != nil && d.Staged:
	case d == nil:
		text = "it is busy with " + text
	case s.cancelled(app, d):
		text += " and is being cancelled"
	default:
		text += "; to cancel it: dokku deploys:cancel " + app
	}
	return text
}

func (s *Store) cancelled(app string, d *app.Deploy) bool {
	_, asked := s.CancelAsked(app, d.Number)
	return asked
}

// wait waits for the lock. Most waits are short looks of the agent and need no message.
func (s *Store) wait(ctx context.Context, l *Lock, app string, log event.Log) error {
	short, cancel := context.WithTimeout(ctx, ShortWait)
	defer cancel()
	err := disk.WaitLock(short, l.F, disk.Exclusive)
	if err == nil || ctx.Err() != nil {
		return err
	}
	who := app
	switch app {
	case OrdersLock:
		who = "the orders of other certificates"
	case RegistryLock:
		who = "the registry"
	case NodesLock:
		who = "another change of the certificates"
	case ImagesLock:
		who = "the images of the nodes"
	}
	if busy := s.Busy(app); busy != "" {
		log.Step("Waiting for %s: %s", who, busy)
	}
	defer log.Busy("waiting for %s", who)()
	return disk.WaitLock(ctx, l.F, disk.Exclusive)
}

func (l *Lock) taken(step string) (*Lock, error) {
	l.note(step)
	if err := failpoint.Reach(failpoint.LockTaken); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// TryLock takes the lock called app if it is free, and reports whether it did.
func (s *Store) TryLock(app, step string) (*Lock, bool, error) {
	f, err := s.lockFile(app)
	if err != nil {
		return nil, false, err
	}
	free, err := disk.TryLock(f, disk.Exclusive)
	if !free || !disk.Linked(f, s.Own("locks", app)) { // its holder has removed it just now
		f.Close()
		return nil, false, err
	}
	l := &Lock{F: f}
	l.note(step)
	return l, true, nil
}

func (s *Store) lockFile(name string) (*os.File, error) {
	if err := s.Disk.MkdirAll(s.Own("locks"), 0o700); err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	f, err := disk.OpenLock(s.Own("locks", name), 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	return f, nil
}

// note writes this process and its step into the lock's file.
func (l *Lock) note(step string) {
	_, l.Abandoned = l.holder()
	data, _ := json.Marshal(Holder{os.Getpid(), step, time.Now().UTC()})
	if l.F.Truncate(0) == nil {
		l.F.WriteAt(data, 0)
	}
}

func (l *Lock) holder() (h Holder, ok bool) {
	buf := make([]byte, 512)
	n, _ := l.F.ReadAt(buf, 0)
	return h, json.Unmarshal(buf[:n], &h) == nil
}

// Release releases the lock. If it is still Abandoned, the note stays, so that the
// next holder sees it as abandoned too.
func (l *Lock) Release() {
	if l.Gone {
		os.Remove(l.F.Name())
		l.F.Close()
		return
	}
	if !l.Abandoned {
		l.F.Truncate(0)
	}
	l.F.Close()
}

// LockInUse reports whether a process holds the app's lock or was killed while holding
// it.
func (s *Store) LockInUse(app string) bool {
	fi, err := os.Stat(s.Own("locks", app))
	return err == nil && fi.Size() > 0
}

// Peek returns the holder of a lock without changing its file. A lock is abandoned if
// it is free and its last holder was killed. Other processes cannot take the lock while
// Peek looks.
func (s *Store) Peek(name string) (h Holder, busy, abandoned bool) {
	f, err := os.Open(s.Own("locks", name))
	if err != nil {
		return h, false, false
	}
	defer f.Close()
	h, noted := (&Lock{F: f}).holder()
	if free, _ := disk.TryLock(f, disk.Shared); !free {
		return h, true, false
	}
	return h, false, noted
}

// AgentRuns reports whether an agent runs for this root.
func (s *Store) AgentRuns() bool {
	l, free, err := s.TryLock(AgentLock, "looking for the agent")
	if free {
		l.Release()
	}
	return err == nil && !free
}
