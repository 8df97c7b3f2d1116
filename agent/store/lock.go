package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// A Lock is an flock on <root>/.dokku/locks/<name>. The kernel gives it back
// when its holder ends, however it ends. The file is never removed: a process
// that waits on an unlinked file would hold a lock that nobody else can see.
// The file says who has it, for messages, and is empty once that one has given
// it back: a free lock with a holder's name was left by somebody who was killed.
type Lock struct {
	F *os.File
	// Abandoned: who had the lock before did not give it back, and nobody has
	// cleaned up since.
	Abandoned bool
}

// Holder is what a lock's file says about who has it.
type Holder struct {
	PID   int       `json:"pid"`
	Step  string    `json:"step"`
	Since time.Time `json:"since"`
}

func (h Holder) String() string {
	return fmt.Sprintf("%s, process %d, for %s", h.Step, h.PID, time.Since(h.Since).Round(time.Second))
}

// ShortWait is how long a wait for a lock is silent.
const ShortWait = time.Second

// LockApp takes the app's lock and says what it waits for, if that takes a while.
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
	if l.try() {
		return l.taken(step)
	}
	// Most waits are for a look of the agent's, and not worth a word.
	short, cancel := context.WithTimeout(ctx, ShortWait)
	err = l.wait(short)
	cancel()
	if err != nil && ctx.Err() == nil {
		if h, ok := l.holder(); ok {
			log.Step("Waiting for %s: it is busy with %s", app, h)
		}
		err = l.wait(ctx)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("gave up waiting for the lock of %s: %w", app, err)
	}
	return l.taken(step)
}

func (l *Lock) taken(step string) (*Lock, error) {
	l.note(step)
	if err := failpoint.Reach(failpoint.LockTaken); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// TryLock takes the app's lock if nobody has it.
func (s *Store) TryLock(app, step string) (*Lock, bool, error) {
	f, err := s.lockFile(app)
	if err != nil {
		return nil, false, err
	}
	l := &Lock{F: f}
	if !l.try() {
		f.Close()
		return nil, false, nil
	}
	l.note(step)
	return l, true, nil
}

func (s *Store) lockFile(name string) (*os.File, error) {
	if err := s.Disk.MkdirAll(s.Own("locks"), 0o700); err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	f, err := os.OpenFile(s.Own("locks", name), os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	return f, nil
}

func (l *Lock) try() bool {
	return unix.Flock(int(l.F.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

// wait polls: a blocking flock cannot be cancelled together with a context.
func (l *Lock) wait(ctx context.Context) error {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		err := unix.Flock(int(l.F.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// note says in the lock's file what its holder does now.
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

// Release gives the lock back. As long as nobody has cleaned up behind one who did
// not, it still looks like that to the next one.
func (l *Lock) Release() {
	if !l.Abandoned {
		l.F.Truncate(0)
	}
	l.F.Close()
}

// LockInUse reports whether somebody has the app's lock, or was killed while having it.
func (s *Store) LockInUse(app string) bool {
	fi, err := os.Stat(s.Own("locks", app))
	return err == nil && fi.Size() > 0
}

// Peek tells who has a lock without changing its file. abandoned: nobody has it,
// and who had it last was killed. For the moment of the look nobody else gets it.
func (s *Store) Peek(name string) (h Holder, busy, abandoned bool) {
	f, err := os.Open(s.Own("locks", name))
	if err != nil {
		return h, false, false
	}
	defer f.Close()
	h, noted := (&Lock{F: f}).holder()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil {
		return h, true, false
	}
	return h, false, noted
}
