package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"

	"dokku/agent/disk"
	"dokku/agent/event"
)

// A Source is something that can be backed up.
type Source struct {
	// Item is the folder of its backups in a place: names, separated by "/".
	Item string
	// Extension ends the names of its backups, such as ".tar.gz".
	Extension string
	// Dump writes all of it. Nothing that it leaves out may end in nil: it is an
	// *IncompleteError if what it wrote can be restored all the same.
	Dump func(ctx context.Context, w io.Writer) error
	// Prove loads a dump elsewhere and says what it found in it, such as "12 tables, 3400
	// rows". It need not read to the end.
	Prove func(ctx context.Context, r io.Reader) (found string, err error)
}

// An IncompleteError says what is missing from a dump that is of use without it: one of many
// apps. The backup is kept, and does not count as proven.
type IncompleteError struct{ Lacks []string }

func (e *IncompleteError) Error() string { return strings.Join(e.Lacks, "\n") }

// Options are those of one backup.
type Options struct {
	// Place is another place than the plan's; "": the plan's.
	Place string
	// Scheduled: the agent makes it. It is only made if it is due.
	Scheduled bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// errNotDue: somebody else has just made the backup.
var errNotDue = errors.New("the backup is not due")

// Run makes a backup, proves it, and removes the old ones that the plan does not keep. The
// error says why the backup is not stored or not proven; the returned Backup says which. It is
// ErrBusy while another process makes one.
func (v Vault) Run(ctx context.Context, p Plan, src Source, o Options, log event.Log) (b Backup, err error) {
	if o.Place != "" {
		p.Place = o.Place
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	place, err := open(p, v.Disk)
	if err != nil {
		return b, err
	}
	err = v.Alone(func() error { b, err = v.run(ctx, p, place, src, o, log); return err })
	return b, err
}

// run makes a backup. The caller holds the lock.
func (v Vault) run(ctx context.Context, p Plan, place Place, src Source, o Options, log event.Log) (b Backup, err error) {
	l, err := v.Log()
	if err != nil {
		return b, err
	}
	now := o.Now()
	if o.Scheduled && !p.due(l, now) {
		return b, errNotDue
	}
	l.settle(ctx, p, place)
	if o.Scheduled {
		l.Handled = now
	}
	id := newID(now)
	b = Backup{ID: id, At: now, Place: p.Place, Scheduled: o.Scheduled, Name: src.Item + "/" + id + src.Extension}
	if p.Encrypts() {
		b.Name += Sealed
	}
	var expected int64
	if last, ok := l.Last(func(b Backup) bool { return b.Stored }); ok {
		expected = last.Size
	}
	l.Backups = append(l.Backups, b)
	if err := v.save(logFile, l); err != nil {
		return b, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, p.Limit(), fmt.Errorf("it did not end within %s", units.HumanDuration(p.Limit())))
	err = store(limited, p, place, src, &b, expected)
	if cause := context.Cause(limited); err != nil && cause != nil && ctx.Err() == nil {
		err = cause // whatever failed did so because of it
	}
	cancel()
	if err == nil {
		b.Proven = true
	} else {
		b.Error = oneLine(err)
	}
	b.Took, b.Over = max(0, o.Now().Sub(now)), true
	if !b.Stored {
		// Its context may be the reason.
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if rerr := place.Remove(c, b.Name); rerr != nil {
			log.Warn("Cannot remove what is left of the failed backup %s: %s", b.Name, rerr)
		}
	}
	l.Backups[len(l.Backups)-1] = b
	if serr := v.save(logFile, l); serr != nil {
		return b, errors.Join(err, serr)
	}
	// Not after good ones alone: each attempt of a dump that never loads leaves a file.
	if b.Stored {
		err = errors.Join(err, v.prune(ctx, p, place, &l, now, log))
	}
	return b, err
}

// maxError is the length in bytes of a recorded error.
const maxError = 1000

func oneLine(err error) string {
	text := event.Printable(strings.Join(strings.Fields(err.Error()), " "))
	return text[:min(len(text), maxError)]
}

// Alone calls do unless a backup is under way, and lets none begin meanwhile.
func (v Vault) Alone(do func() error) error {
	if err := v.Disk.MkdirAll(v.Dir, 0o700); err != nil {
		return err
	}
	lock, err := disk.OpenLock(filepath.Join(v.Dir, runLock), 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if ok, err := disk.TryLock(lock, disk.Exclusive); err != nil || !ok {
		return errors.Join(err, ErrBusy)
	}
	return do()
}

// settle ends the attempts of processes that are gone. Only the holder of the lock calls it.
func (l *Log) settle(ctx context.Context, p Plan, place Place) {
	for i := range l.Backups {
		b := &l.Backups[i]
		if b.Over {
			continue
		}
		b.Over, b.Error = true, "it was interrupted"
		if b.Place == p.Place {
			place.Remove(ctx, b.Name) // what stays is not listed as a backup
		}
	}
}

// first keeps the first error of several goroutines.
type first struct {
	mu  sync.Mutex
	err error
}

func (f *first) set(format string, err error) error {
	if err == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = fmt.Errorf(format, err)
	}
	return err
}

// store dumps, encrypts, uploads and loads in one go, and reads the result back. The dump
// decides the pace of all.
func store(ctx context.Context, p Plan, place Place, src Source, b *Backup, expected int64) error {
	// The part of an upload is most of what is in use, and little garbage comes with it. So garbage
	// may grow to a fifth of what is in use, and the part goes back to the system.
	defer debug.FreeOSMemory()
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed, doubt first
	var wg sync.WaitGroup

	sealed, toPlace := io.Pipe()
	sent := &digest{Hash: sha256.New()}
	wg.Go(func() {
		err := failed.set("cannot store the backup: %w", place.Put(ctx, b.Name, io.TeeReader(sealed, sent), expected))
		sealed.CloseWithError(err)
	})

	plain, toProof := io.Pipe()
	wg.Go(func() {
		found, err := src.Prove(ctx, plain)
		b.Found = found
		doubt.set("the backup is stored, but could not be loaded again: %w", err)
		io.Copy(io.Discard, plain) // a load that failed does not end the dump
	})

	// What takes or gives no data any more, but does not end either, ends with ctx.
	defer context.AfterFunc(ctx, func() {
		sealed.CloseWithError(context.Cause(ctx))
		plain.CloseWithError(context.Cause(ctx))
	})()

	var dumped counter
	err := func() error {
		w, err := p.seal(toPlace)
		if err != nil {
			return err
		}
		var incomplete *IncompleteError
		if err := src.Dump(ctx, io.MultiWriter(w, toProof, &dumped)); errors.As(err, &incomplete) {
			doubt.set("the backup is incomplete: %w", err)
		} else if err != nil {
			return err
		}
		if dumped == 0 {
			return errors.New("the dump is empty")
		}
		return w.Close()
	}()
	failed.set("cannot dump it: %w", err)
	toPlace.CloseWithError(err)
	toProof.CloseWithError(err)
	wg.Wait()
	if failed.err != nil {
		return failed.err
	}
	b.Stored, b.Size, b.SHA256 = true, sent.size, sent.sum()
	if err := reread(ctx, place, *b); err != nil {
		return fmt.Errorf("the backup was stored, but cannot be read back: %w", err)
	}
	return doubt.err
}

// counter counts bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// digest counts and hashes.
type digest struct {
	hash.Hash
	size int64
}

func (d *digest) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return d.Hash.Write(p)
}

func (d *digest) sum() string { return hex.EncodeToString(d.Sum(nil)) }

// reread returns an error unless the place has what was sent.
func reread(ctx context.Context, place Place, b Backup) error {
	r, err := place.Get(ctx, b.Name)
	if err != nil {
		return err
	}
	defer r.Close()
	got := &digest{Hash: sha256.New()}
	if _, err := io.Copy(got, interrupted{ctx, r}); err != nil {
		return err
	}
	if got.sum() != b.SHA256 {
		return fmt.Errorf("%s has another content: %d bytes instead of %d", b.Name, got.size, b.Size)
	}
	return nil
}

// prune removes the stored backups that the plan does not keep, and the records of old failures.
func (v Vault) prune(ctx context.Context, p Plan, place Place, l *Log, now time.Time, log event.Log) error {
	proven, unproven, failures := 0, 0, 0
	var gone []string
	for _, b := range slices.Backward(l.Backups) {
		if !b.Stored {
			if failures++; failures > keptFailures {
				gone = append(gone, b.ID)
			}
			continue
		}
		old := p.KeepDays > 0 && now.Sub(b.At) > time.Duration(p.KeepDays)*24*time.Hour
		keep := proven < p.Kept() && !old || b.Proven && proven == 0
		if b.Proven {
			proven++
		} else if unproven++; unproven > p.Kept() {
			keep = false
		}
		if keep || b.Place != p.Place {
			continue
		}
		if err := place.Remove(ctx, b.Name); err != nil {
			log.Warn("Cannot remove the old backup %s: %s", b.Name, err)
			continue
		}
		gone = append(gone, b.ID)
	}
	if gone == nil {
		return nil
	}
	l.Backups = slices.DeleteFunc(l.Backups, func(b Backup) bool { return slices.Contains(gone, b.ID) })
	return v.save(logFile, *l)
}
