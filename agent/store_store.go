package agent

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

	"dokku/agent/disk"
	"dokku/agent/failpoint"
)

// A Store is what a DOKKU_ROOT keeps in files: apps with their states and releases,
// the server's settings, and the locks. It is safe for concurrent use.
type Store struct {
	Root string

	// disk is what files are changed through; tests watch it.
	disk disk.Disk
	// fault is asked before every change of a file; tests set it.
	fault func(what string) error
	// good are the settings that the agent falls back to when server.json cannot be
	// used; nil elsewhere.
	good *goodSettings
}

// own is the folder of the server's own files.
func (s *Store) own(elem ...string) string {
	return filepath.Join(append([]string{s.Root, ".dokku"}, elem...)...)
}

// dir is the app's bare repository.
func (s *Store) dir(app string) string { return filepath.Join(s.Root, app) }

// file is one of the files that we keep beside git's.
func (s *Store) file(app string, elem ...string) string {
	return filepath.Join(append([]string{s.dir(app), "dokku"}, elem...)...)
}

// at is called before every change of a file, with what is about to happen.
// Tests stop there.
func (s *Store) at(what string) error {
	if s.fault == nil {
		return failpoint.Count("file", what)
	}
	return s.fault(what)
}

// writeJSON replaces a file so that a crash at any moment leaves either the old
// or the new content: temporary file, fsync, rename, fsync of the folder. Only
// after the last one does the new name survive a power loss.
func (s *Store) writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := replaceFile(s.disk, path, append(data, '\n'), s.at); err != nil {
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
		return &unsyncedError{err}
	}
	if err := d.Sync(filepath.Dir(path)); err != nil {
		return &unsyncedError{err}
	}
	return nil
}

// An unsyncedError says that a file was replaced, and that a power loss may bring
// the one before back.
type unsyncedError struct{ error }

func (e *unsyncedError) Error() string {
	return "it was replaced, but a power loss may bring back what it was: " + e.error.Error()
}

func (e *unsyncedError) Unwrap() error { return e.error }

// sweepTemporary removes what writers left who were killed before they could rename
// it. The caller holds the lock under which the folders are written to.
func (s *Store) sweepTemporary(dirs ...string) {
	for _, dir := range dirs {
		left, _ := filepath.Glob(filepath.Join(dir, ".*.json[0-9]*"))
		for _, path := range left {
			s.disk.Remove(path)
		}
	}
}

// readJSON fills v. A missing file is fs.ErrNotExist; a file that a newer
// version of this program wrote is refused.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var head struct{ Version int }
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	if head.Version > stateVersion {
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
		e.path, e.version, stateVersion)
}

// refuseNewer refuses an app of which a newer version of this program wrote any file:
// whoever works on the app may replace or remove each of them. What cannot be read
// for another reason is found by whoever needs it.
func (s *Store) refuseNewer(app string) error {
	paths := []string{s.file(app, "problem.json")}
	numbers, err := s.releaseNumbers(app)
	for _, n := range numbers {
		paths = append(paths, s.file(app, "releases", strconv.Itoa(n)+".json"))
	}
	for _, path := range paths {
		var newer *newerError
		var head struct{}
		if errors.As(readJSON(path, &head), &newer) {
			return newer
		}
	}
	return err
}

func (s *Store) saveState(app string, st *State) error {
	st.Version = stateVersion
	return s.writeJSON(s.file(app, "state.json"), st)
}

// Load reads an app. It fails with *NoAppError when there is none. Who has not its
// lock may find that the release which its state named has been replaced and
// removed since, or that the app has been renamed, and then reads again.
func (s *Store) Load(app string) (*App, error) {
	if err := ValidName(app); err != nil {
		return nil, err
	}
	for missing := 0; ; {
		a := &App{Name: app, Dir: s.dir(app)}
		err := readJSON(s.file(app, "state.json"), &a.State)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &NoAppError{app}
		}
		n := a.State.Current
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return a, nil
		}
		if a.Current, err = s.release(app, n); err == nil {
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
		if ValidName(e.Name()) != nil || !e.IsDir() {
			continue
		}
		if _, err := os.Stat(s.file(e.Name(), "state.json")); err == nil {
			apps = append(apps, e.Name())
		}
	}
	return apps, nil
}

func (s *Store) release(app string, n int) (*Release, error) {
	r := &Release{}
	if err := readJSON(s.file(app, "releases", strconv.Itoa(n)+".json"), r); err != nil {
		return nil, fmt.Errorf("cannot read release v%d of %s: %w", n, app, err)
	}
	// A limit that was lowered since holds from the next push on.
	if err := r.ReadFiles(math.MaxInt); err != nil {
		return nil, fmt.Errorf("cannot read the control files of v%d of %s: %w", n, app, err)
	}
	return r, nil
}

func (s *Store) saveRelease(app string, r *Release) error {
	r.Version = stateVersion
	return s.writeJSON(s.file(app, "releases", strconv.Itoa(r.Number)+".json"), r)
}

func (s *Store) removeRelease(app string, n int) error {
	if err := s.at("remove release"); err != nil {
		return err
	}
	err := s.disk.Remove(s.file(app, "releases", strconv.Itoa(n)+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// releaseNumbers lists the kept releases, ascending.
func (s *Store) releaseNumbers(app string) ([]int, error) {
	entries, err := os.ReadDir(s.file(app, "releases"))
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
func (s *Store) Releases(app string) ([]*Release, error) {
	numbers, err := s.releaseNumbers(app)
	if err != nil {
		return nil, err
	}
	var list []*Release
	for _, n := range numbers {
		r, err := s.release(app, n)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// nextRelease is the number after the highest kept one, and after the current
// one: numbers of releases that were live are never given twice.
func (s *Store) nextRelease(a *App) (int, error) {
	numbers, err := s.releaseNumbers(a.Name)
	if err != nil {
		return 0, err
	}
	next := a.State.Current
	for _, n := range numbers {
		next = max(next, n)
	}
	return next + 1, nil
}
