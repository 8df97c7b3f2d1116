package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/failpoint"
)

// A Store is what a DOKKU_ROOT keeps in files: apps with their states and releases,
// the server's settings, and the locks. It is safe for concurrent use.
type Store struct {
	Root string

	// Disk is what files are changed through; tests watch it.
	Disk disk.Disk
	// Fault is asked before every change of a file; tests set it.
	Fault func(what string) error
	// Good are the settings that the agent falls back to when server.json cannot be
	// used; nil elsewhere.
	Good *GoodSettings
}

// Own is the folder of the server's own files.
func (s *Store) Own(elem ...string) string {
	return filepath.Join(append([]string{s.Root, ".dokku"}, elem...)...)
}

// Dir is the app's bare repository.
func (s *Store) Dir(app string) string { return filepath.Join(s.Root, app) }

// File is one of the files that we keep beside git's.
func (s *Store) File(app string, elem ...string) string {
	return filepath.Join(append([]string{s.Dir(app), "dokku"}, elem...)...)
}

// At is called before every change of a file, with what is about to happen.
// Tests stop there.
func (s *Store) At(what string) error {
	if s.Fault == nil {
		return failpoint.Count("file", what)
	}
	return s.Fault(what)
}

// WriteJSON replaces a file so that a crash at any moment leaves either the old
// or the new content: temporary file, fsync, rename, fsync of the folder. Only
// after the last one does the new name survive a power loss.
func (s *Store) WriteJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := replaceFile(s.Disk, path, append(data, '\n'), s.At); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// replaceFile is disk.Replace that tells where it is.
func replaceFile(d disk.Disk, path string, data []byte, at func(string) error) error {
	name := filepath.Base(path)
	if err := at("create " + name); err != nil {
		return err
	}
	temp, err := d.Temporary(path, data, 0o600)
	if err != nil {
		return err
	}
	if err = at("rename " + name); err == nil {
		err = d.Rename(temp, path)
	}
	if err != nil {
		d.Remove(temp)
		return err
	}
	if err := at("sync " + name); err != nil {
		return &UnsyncedError{err}
	}
	if err := d.Sync(filepath.Dir(path)); err != nil {
		return &UnsyncedError{err}
	}
	return nil
}

// An UnsyncedError says that a file was replaced, and that a power loss may bring
// the one before back.
type UnsyncedError struct{ error }

func (e *UnsyncedError) Error() string {
	return "it was replaced, but a power loss may bring back what it was: " + e.error.Error()
}

func (e *UnsyncedError) Unwrap() error { return e.error }

// SweepTemporary removes what writers left who were killed before they could rename
// it. The caller holds the lock under which the folders are written to.
func (s *Store) SweepTemporary(dirs ...string) {
	for _, dir := range dirs {
		left, _ := filepath.Glob(filepath.Join(dir, ".*.json[0-9]*"))
		for _, path := range left {
			s.Disk.Remove(path)
		}
	}
}

// ReadJSON fills v. A missing file is fs.ErrNotExist; a file that a newer
// version of this program wrote is refused.
func ReadJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var head struct{ Version int }
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	if head.Version > app.Version {
		return &newerError{path, head.Version}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}

// A newerError says that a newer version of this program wrote a file.
type newerError struct {
	path    string
	version int
}

func (e *newerError) Error() string {
	return fmt.Sprintf("cannot read %s: it has version %d, this dokku knows up to %d: install the newer dokku again",
		e.path, e.version, app.Version)
}

// RefuseNewer refuses an app of which a newer version of this program wrote any file:
// whoever works on the app may replace or remove each of them. What cannot be read
// for another reason is found by whoever needs it.
func (s *Store) RefuseNewer(app string) error {
	paths := []string{s.File(app, "problem.json")}
	numbers, err := s.ReleaseNumbers(app)
	for _, n := range numbers {
		paths = append(paths, s.File(app, "releases", strconv.Itoa(n)+".json"))
	}
	for _, path := range paths {
		var newer *newerError
		var head struct{}
		if errors.As(ReadJSON(path, &head), &newer) {
			return newer
		}
	}
	return err
}

func (s *Store) SaveState(name string, st *app.State) error {
	st.Version = app.Version
	return s.WriteJSON(s.File(name, "state.json"), st)
}

// Load reads an app. It fails with *NoAppError when there is none. Who has not its
// lock may find that the release which its state named has been replaced and
// removed since, or that the app has been renamed, and then reads again.
func (s *Store) Load(name string) (*app.App, error) {
	if err := app.ValidName(name); err != nil {
		return nil, err
	}
	for missing := 0; ; {
		a := &app.App{Name: name, Dir: s.Dir(name)}
		err := ReadJSON(s.File(name, "state.json"), &a.State)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &app.NoAppError{App: name}
		}
		n := a.State.Current
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return a, nil
		}
		if a.Current, err = s.Release(name, n); err == nil {
			return a, nil
		}
		if n == missing || !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing = n
	}
}

// Apps lists the names of all apps, sorted.
func (s *Store) Apps() ([]string, error) {
	entries, err := os.ReadDir(s.Root)
	if err != nil {
		return nil, fmt.Errorf("cannot list the apps: %w", err)
	}
	var apps []string
	for _, e := range entries {
		if app.ValidName(e.Name()) != nil || !e.IsDir() {
			continue
		}
		if _, err := os.Stat(s.File(e.Name(), "state.json")); err == nil {
			apps = append(apps, e.Name())
		}
	}
	return apps, nil
}

func (s *Store) Release(name string, n int) (*app.Release, error) {
	r := &app.Release{}
	if err := ReadJSON(s.File(name, "releases", strconv.Itoa(n)+".json"), r); err != nil {
		return nil, fmt.Errorf("cannot read release v%d of %s: %w", n, name, err)
	}
	// A limit that was lowered since holds from the next push on.
	if err := r.ReadFiles(math.MaxInt); err != nil {
		return nil, fmt.Errorf("cannot read the control files of v%d of %s: %w", n, name, err)
	}
	return r, nil
}

func (s *Store) SaveRelease(name string, r *app.Release) error {
	r.Version = app.Version
	return s.WriteJSON(s.File(name, "releases", strconv.Itoa(r.Number)+".json"), r)
}

func (s *Store) RemoveRelease(app string, n int) error {
	if err := s.At("remove release"); err != nil {
		return err
	}
	err := s.Disk.Remove(s.File(app, "releases", strconv.Itoa(n)+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReleaseNumbers lists the kept releases, ascending.
func (s *Store) ReleaseNumbers(app string) ([]int, error) {
	entries, err := os.ReadDir(s.File(app, "releases"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	sort.Ints(numbers)
	return numbers, nil
}

// Releases lists the kept releases, oldest first.
func (s *Store) Releases(name string) ([]*app.Release, error) {
	numbers, err := s.ReleaseNumbers(name)
	if err != nil {
		return nil, err
	}
	var list []*app.Release
	for _, n := range numbers {
		r, err := s.Release(name, n)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// NextRelease is the number after the highest kept one, and after the current
// one: numbers of releases that were live are never given twice.
func (s *Store) NextRelease(a *app.App) (int, error) {
	numbers, err := s.ReleaseNumbers(a.Name)
	if err != nil {
		return 0, err
	}
	next := a.State.Current
	for _, n := range numbers {
		next = max(next, n)
	}
	return next + 1, nil
}
