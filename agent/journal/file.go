package journal

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"dokku/agent/disk"
)

// Limit is the size in bytes at which a journal goes on in a new file.
const Limit = 4 << 20

// File is a journal at a path.
type File struct {
	Path  string
	Limit int64 // 0: Limit
}

func (f File) limit() int64 {
	if f.Limit > 0 {
		return f.Limit
	}
	return Limit
}

func (f File) former() string { return f.Path + ".1" }

// Append adds an event. It waits for nobody and syncs nothing.
func (f File) Append(e Event) error {
	data, err := json.Marshal(e.bounded())
	if err != nil {
		return err
	}
	out, err := f.open()
	if err != nil {
		return err
	}
	defer out.Close()
	if info, err := out.Stat(); err == nil && info.Size() >= f.limit() && f.rotate(out) {
		next, err := f.open()
		if err != nil {
			return err
		}
		defer next.Close()
		out = next
	}
	_, err = out.Write(append(data, '\n'))
	return err
}

func (f File) open() (*os.File, error) {
	const flags = os.O_APPEND | os.O_CREATE | os.O_WRONLY
	out, err := os.OpenFile(f.Path, flags, 0o600)
	if os.IsNotExist(err) && os.MkdirAll(filepath.Dir(f.Path), 0o700) == nil {
		out, err = os.OpenFile(f.Path, flags, 0o600)
	}
	return out, err
}

// rotate renames the full file, unless another process does or did. Its lock goes with out.
func (f File) rotate(out *os.File) bool {
	free, err := disk.TryLock(out, disk.Exclusive)
	if err != nil || !free {
		return false
	}
	return !same(out, f.Path) || os.Rename(f.Path, f.former()) == nil
}

// same reports whether an open file is the one at path.
func same(open *os.File, path string) bool {
	a, err := open.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// Read returns the last n events for which keep is true, in the order in which they were
// recorded, and a Tail with what comes after them. Lines that are no event are left out:
// a loss of power may leave half of one.
func (f File) Read(n int, keep func(Event) bool) ([]Event, *Tail, error) {
	t := &Tail{file: f, keep: keep}
	var list []Event
	data, err := os.ReadFile(f.former())
	if err == nil {
		list = t.events(data)
		t.rest = nil
	}
	if err == nil || os.IsNotExist(err) {
		var rest []Event
		rest, err = t.Next()
		list = append(list, rest...)
	}
	if err != nil {
		t.Close()
		return nil, nil, err
	}
	return slices.Clone(list[max(0, len(list)-n):]), t, nil
}

// Tail reads a journal as it grows. It is for one goroutine.
type Tail struct {
	file File
	keep func(Event) bool
	open *os.File // nil: there was none yet
	rest []byte   // the beginning of a line
}

// Next returns the events since the last call. It does not wait.
func (t *Tail) Next() (list []Event, err error) {
	for {
		if t.open == nil {
			t.open, err = os.Open(t.file.Path)
			if os.IsNotExist(err) {
				return list, nil
			}
			if err != nil {
				return list, err
			}
		}
		current := same(t.open, t.file.Path) // before the read: a former file grows no more
		data, err := io.ReadAll(t.open)
		if err != nil {
			return list, err
		}
		list = append(list, t.events(data)...)
		if current {
			return list, nil
		}
		t.Close()
	}
}

// Close closes the file. A closed Tail begins again with the present one.
func (t *Tail) Close() {
	if t.open != nil {
		t.open.Close()
	}
	t.open, t.rest = nil, nil
}

// events decodes whole lines, and keeps the beginning of another one for the next call.
func (t *Tail) events(data []byte) (list []Event) {
	data = append(t.rest, data...)
	end := bytes.LastIndexByte(data, '\n') + 1
	t.rest = slices.Clone(data[end:])
	for line := range bytes.Lines(data[:end]) {
		var e Event
		if json.Unmarshal(line, &e) == nil && e.Event != "" && t.keep(e) {
			list = append(list, e)
		}
	}
	return list
}
