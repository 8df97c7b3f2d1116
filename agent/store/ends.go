package store

import (
	"errors"
	"io/fs"
	"slices"

	"dokku/agent/app"
)

// maxEnds is the number of ends that are kept of an app.
const maxEnds = 200

// Ends returns the recorded ends of an app's processes, in order of time.
func (s *Store) Ends(name string) ([]app.End, error) {
	var list app.Ends
	err := ReadJSON(s.File(name, "ends.json"), &list)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return list.Ends, err
}

// NoteEnd records an end. It replaces the record of the same container and time. Only the
// agent calls it, without the app's lock: the file stands for itself.
func (s *Store) NoteEnd(name string, e app.End) error {
	ends, err := s.Ends(name)
	if err != nil {
		return err
	}
	ends = slices.DeleteFunc(ends, func(o app.End) bool { return o.Container == e.Container && o.At.Equal(e.At) })
	ends = append(ends, e)
	slices.SortStableFunc(ends, func(a, b app.End) int { return a.At.Compare(b.At) })
	ends = ends[max(0, len(ends)-maxEnds):]
	return s.writeUnlocked(s.File(name, "ends.json"), app.Ends{Version: app.Version, Ends: ends})
}

// writeUnlocked is WriteJSON for a file that stands for itself, without the app's lock.
func (s *Store) writeUnlocked(path string, v any) (err error) {
	for range 2 {
		if err = s.WriteJSON(path, v); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		// The app's lock may have a new holder, which has swept the temporary file.
	}
	return err
}
