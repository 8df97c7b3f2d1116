package store

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

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
// longer than ShortWait, it logs who holds the lock. It gives up when ctx is done.
func (s *Store) LockApp(ctx context.Context, app, step string, log event.Log) (*Lock, error) {
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
		err = l.wait(ctx, app, log)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("gave up waiting for the lock of %s: %w", app, err)
	}
	return l.taken(step)
}

// LockOrders takes the lock of all orders of certificates for an app.
func (s *Store) LockOrders(ctx context.Context, app string, log event.Log) (*Lock, error) {
	return s.LockApp(ctx, OrdersLock, "the certificates of "+app, log)
}

// wait waits for the lock. Most waits are short looks of the agent and need no message.
func (l *Lock) wait(ctx context.Context, app string, log event.Log) error {
	short, cancel := context.WithTimeout(ctx, ShortWait)
	defer cancel()
	err := disk.WaitLock(short, l.F, disk.Exclusive)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if app == OrdersLock {
		app = "the orders of other certificates"
	}
	if h, ok := l.holder(); ok {
		log.Step("Waiting for %s: it is busy with %s", app, h)
	}
	defer log.Busy("waiting for %s", app)()
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
	if free, err := disk.TryLock(f, disk.Exclusive); !free {
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
