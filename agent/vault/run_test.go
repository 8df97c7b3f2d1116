package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"dokku/agent/event"
)

// source is a Source of a text.
func source(text string) Source {
	return Source{Item: "postgres/db", Extension: ".dump",
		Dump: func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, text); return err },
		Prove: func(_ context.Context, r io.Reader) (string, error) {
			data, err := io.ReadAll(r)
			if err == nil && string(data) != text {
				err = errors.New("another content")
			}
			return fmt.Sprintf("%d rows", len(data)), err
		}}
}

func newVault(t *testing.T) Vault { return Vault{Dir: filepath.Join(t.TempDir(), "db")} }

// stored returns the names in a place.
func stored(t *testing.T, p Plan) (names []string) {
	t.Helper()
	place, err := Open(p)
	check(t, err)
	list, err := place.List(t.Context(), "postgres/db")
	check(t, err)
	for _, f := range list {
		names = append(names, f.Name)
	}
	return names
}

// TestBackupAndFetch: what was dumped comes back, by its name and as the last one.
func TestBackupAndFetch(t *testing.T) {
	mine, err := age.GenerateX25519Identity()
	check(t, err)
	for name, p := range places(t) {
		for _, keys := range [][]string{nil, {mine.Recipient().String()}} {
			t.Run(fmt.Sprint(name, len(keys)), func(t *testing.T) {
				v, log := newVault(t), event.Log{}
				p.Keys = keys
				first, err := v.Run(t.Context(), p, source("one"), Options{}, log)
				check(t, err)
				last, err := v.Run(t.Context(), p, source("two"), Options{}, log)
				check(t, err)
				if !last.Proven || !last.Stored || last.Found != "3 rows" || last.Error != "" || strings.HasSuffix(last.Name, ".age") != (keys != nil) {
					t.Errorf("the record is %+v", last)
				}
				for id, want := range map[string]string{first.ID: "one", last.ID: "two", "": "two"} {
					for _, v := range []Vault{v, newVault(t)} { // another server knows nothing of it
						s, err := v.Fetch(t.Context(), p, "postgres/db", id)
						check(t, err)
						r := io.Reader(s)
						if s.Encrypted {
							r, err = Unseal(s, "", []byte(mine.String()))
							check(t, err)
						}
						got, err := io.ReadAll(r)
						s.Close()
						if err != nil || string(got) != want && id != "" {
							t.Errorf("%s: got %q, %v", id, got, err)
						}
					}
				}
				if _, err := v.Fetch(t.Context(), p, "postgres/db", "20260101T000000Z-abcdef"); !errors.Is(err, ErrNone) {
					t.Errorf("a backup that is not there: %v", err)
				}
			})
		}
	}
}

// TestFailures: what is not stored leaves nothing in its place; what cannot be loaded again
// is stored, and counts as unproven.
func TestFailures(t *testing.T) {
	full := errors.New("no space left on device")
	var down atomic.Bool
	access := newS3(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() && r.Method == http.MethodPut {
				http.Error(w, "<Error><Code>QuotaExceeded</Code><Message>full</Message></Error>", http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	for name, c := range map[string]struct {
		change func(*Source)
		down   bool
		stored bool
		want   string
	}{
		"dump fails at once": {change: func(s *Source) { s.Dump = func(context.Context, io.Writer) error { return full } }, want: "cannot dump it: no space left"},
		"dump fails late": {change: func(s *Source) {
			s.Dump = func(_ context.Context, w io.Writer) error {
				io.WriteString(w, strings.Repeat("x", 9<<20))
				return full
			}
		}, want: "cannot dump it: no space left"},
		"dump is empty": {change: func(s *Source) { s.Dump = func(context.Context, io.Writer) error { return nil } }, want: "the dump is empty"},
		"load fails": {change: func(s *Source) {
			s.Prove = func(_ context.Context, r io.Reader) (string, error) { r.Read(make([]byte, 1)); return "", full }
		}, stored: true, want: "the backup is stored, but could not be loaded again: no space left"},
		"dump lacks something": {change: func(s *Source) {
			s.Dump = func(_ context.Context, w io.Writer) error {
				io.WriteString(w, strings.Repeat("x", 9<<20))
				return &IncompleteError{[]string{"cannot back up a: it is broken"}}
			}
		}, stored: true, want: "the backup is incomplete: cannot back up a: it is broken"},
		"place refuses": {down: true, want: "cannot store the backup: "},
	} {
		t.Run(name, func(t *testing.T) {
			p := Plan{Place: "s3://backups/" + strings.ReplaceAll(name, " ", "-"), Access: access}
			v := newVault(t)
			src := source(strings.Repeat("x", 9<<20))
			if c.change != nil {
				c.change(&src)
			}
			down.Store(c.down)
			defer down.Store(false)
			b, err := v.Run(t.Context(), p, src, Options{}, event.Log{})
			down.Store(false)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got the error %v", err)
			}
			if b.Proven || b.Stored != c.stored || !b.Over || !strings.Contains(b.Error, c.want) {
				t.Errorf("the record is %+v", b)
			}
			if names := stored(t, p); (len(names) == 1) != c.stored {
				t.Errorf("stored are %v", names)
			}
			l, err := v.Log()
			check(t, err)
			if last, _ := l.Last(Over); last.ID != b.ID || last.Error != b.Error || last.Stored != b.Stored {
				t.Errorf("the log has %+v", last)
			}
		})
	}
}

// TestReadBack: a place that gives back something else has no proven backup.
func TestReadBack(t *testing.T) {
	access := newS3(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(&flipping{ResponseWriter: w, on: r.Method == http.MethodGet && r.URL.RawQuery == ""}, r)
		})
	})
	b, err := newVault(t).Run(t.Context(), Plan{Place: "s3://backups", Access: access}, source("one"), Options{}, event.Log{})
	if err == nil || !strings.Contains(err.Error(), "cannot be read back") || b.Proven || !b.Stored {
		t.Errorf("got %v, %+v", err, b)
	}
}

// flipping changes the first byte of each write.
type flipping struct {
	http.ResponseWriter
	on bool
}

func (f *flipping) Write(p []byte) (int, error) {
	if f.on && len(p) > 0 {
		p = append([]byte{p[0] ^ 1}, p[1:]...)
	}
	return f.ResponseWriter.Write(p)
}

// TestPrune: the plan's number and age of backups stay, the last proven one always.
func TestPrune(t *testing.T) {
	bad := source("x")
	bad.Prove = func(context.Context, io.Reader) (string, error) { return "", errors.New("bad") }
	v, p := newVault(t), Plan{Place: filepath.Join(t.TempDir(), "kept"), Keep: 2, KeepDays: 30}
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	run := func(src Source, after time.Duration) int {
		now = now.Add(after)
		v.Run(t.Context(), p, src, Options{Now: func() time.Time { return now }}, event.Log{})
		return len(stored(t, p))
	}
	const day = 24 * time.Hour
	other := Vault{Dir: filepath.Join(t.TempDir(), "other")}
	_, err := other.Run(t.Context(), p, source("of another server"), Options{}, event.Log{})
	check(t, err)
	for n, c := range []struct {
		src   Source
		after time.Duration
		want  int // with the other server's
	}{
		{source("1"), 0, 2}, {source("2"), day, 3}, {source("3"), day, 3}, {bad, day, 4}, {bad, day, 5}, {source("4"), day, 5},
		// Those between two proven ones go with the older of them.
		{source("5"), day, 3}, {source("6"), 40 * day, 2}, {bad, 40 * day, 3},
	} {
		if got := run(c.src, c.after); got != c.want {
			t.Errorf("after backup %d there are %d, want %d", n+1, got, c.want)
		}
	}
	// Those that are never proven do not pile up either.
	for range 5 {
		run(bad, time.Hour)
	}
	if got := run(bad, time.Hour); got != 4 {
		t.Errorf("after many that are not proven there are %d, want 4", got)
	}
	l, err := v.Log()
	check(t, err)
	if b, ok := l.Last(Proven); !ok || b.Found != "1 rows" {
		t.Errorf("the last proven backup is %+v", b)
	}
}

// TestInterruptedBackup: what a killed process left is removed, and recorded as interrupted.
func TestInterruptedBackup(t *testing.T) {
	for name, p := range places(t) {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			dead := Backup{ID: newID(time.Now()), Place: p.Place, At: time.Now()}
			dead.Name = "postgres/db/" + dead.ID + ".dump"
			check(t, os.MkdirAll(v.Dir, 0o700))
			check(t, v.save(logFile, Log{Backups: []Backup{dead}}))
			place, err := Open(p)
			check(t, err)
			check(t, place.Put(t.Context(), dead.Name, strings.NewReader("half"), 0))
			if f, ok := place.(folder); ok {
				check(t, os.WriteFile(filepath.Join(f.dir, dead.Name+partial), []byte("x"), 0o600))
			}
			b, err := v.Run(t.Context(), p, source("one"), Options{}, event.Log{})
			check(t, err)
			if names := stored(t, p); len(names) != 1 || names[0] != b.Name {
				t.Errorf("stored are %v", names)
			}
			l, err := v.Log()
			check(t, err)
			if got := l.Backups[0]; got.ID != dead.ID || !got.Over || got.Error != "it was interrupted" {
				t.Errorf("the log has %+v", got)
			}
			if f, ok := place.(folder); ok {
				if _, err := os.Stat(filepath.Join(f.dir, dead.Name+partial)); err == nil {
					t.Error("the half file is still there")
				}
			}
		})
	}
}

// TestOneAtATime: two processes do not back up the same at once.
func TestOneAtATime(t *testing.T) {
	v, p := newVault(t), Plan{Place: t.TempDir()}
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error)
	slow := source("one")
	dump := slow.Dump
	slow.Dump = func(ctx context.Context, w io.Writer) error { close(begun); <-end; return dump(ctx, w) }
	go func() { _, err := v.Run(t.Context(), p, slow, Options{}, event.Log{}); done <- err }()
	<-begun
	if _, err := v.Run(t.Context(), p, source("two"), Options{}, event.Log{}); !errors.Is(err, ErrBusy) {
		t.Errorf("the second: %v", err)
	}
	close(end)
	check(t, <-done)
}

// TestMemory: 64 MB are encrypted, stored and proven in little memory.
func TestMemory(t *testing.T) {
	mine, err := age.GenerateX25519Identity()
	check(t, err)
	var peak uint64
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	src := source("")
	src.Dump = func(ctx context.Context, w io.Writer) error {
		for range 64 {
			if _, err := io.CopyN(w, zeros{}, 1<<20); err != nil {
				return err
			}
			look()
		}
		return nil
	}
	src.Prove = func(_ context.Context, r io.Reader) (string, error) {
		n, err := io.Copy(io.Discard, r)
		return fmt.Sprint(n), err
	}
	runtime.GC()
	look()
	before := peak
	b, err := newVault(t).Run(t.Context(), Plan{Place: t.TempDir(), Keys: []string{mine.Recipient().String()}}, src, Options{}, event.Log{})
	if err != nil || b.Found != fmt.Sprint(64<<20) {
		t.Errorf("%+v, %v", b, err)
	}
	if grown := peak - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
}

// TestChange: a plan is checked and private, and a new schedule counts from now on.
func TestChange(t *testing.T) {
	v, now := newVault(t), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	check(t, v.Change(t.Context(), now, func(p *Plan) error { p.Place, p.Schedule = "s3://backups", "0 3 * * *"; return nil }))
	check(t, v.Change(t.Context(), now.Add(time.Hour), func(p *Plan) error { p.Keep = 3; return nil }))
	p, err := v.Plan()
	check(t, err)
	if !p.Since.Equal(now) || p.Kept() != 3 {
		t.Errorf("the plan is %+v", p)
	}
	for want, change := range map[string]func(*Plan){
		"is no place for backups": func(p *Plan) { p.Place = "here" },
		"hour":                    func(p *Plan) { p.Schedule = "0 30 * * *" },
		"is no public key":        func(p *Plan) { p.Keys = []string{"x"} },
	} {
		err := v.Change(t.Context(), now, func(p *Plan) error { change(p); return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	i, err := os.Stat(filepath.Join(v.Dir, PlanFile))
	check(t, err)
	if i.Mode().Perm() != 0o600 {
		t.Errorf("the plan has the mode %s", i.Mode())
	}
	check(t, os.WriteFile(filepath.Join(v.Dir, PlanFile), []byte("{"), 0o600))
	if _, err := v.Plan(); err == nil || !strings.Contains(err.Error(), PlanFile) {
		t.Errorf("a damaged plan: %v", err)
	}
}
