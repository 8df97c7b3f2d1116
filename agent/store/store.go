package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/failpoint"
)

// A Store reads and writes the files and locks of a DOKKU_ROOT. It is safe for
// concurrent use.
type Store struct {
	Root string

	// Disk carries out all durable changes of files; tests watch it.
	Disk disk.Disk
	// Fault is called before every change of a file; tests set it.
	Fault func(what string) error
	// locked: this process has asked for a lock to change something.
	locked atomic.Bool
	// NoWait: LockApp does not wait for the lock of an app (--no-wait).
	NoWait bool
	// Good keeps the settings that the agent falls back to; nil outside of the agent.
	Good *GoodSettings
}

// Own returns a path in the folder of the server's own files.
func (s *Store) Own(elem ...string) string {
	return filepath.Join(append([]string{s.Root, ".dokku"}, elem...)...)
}

// LogFile returns the path of the host's log.
func (s *Store) LogFile() string { return s.Own("log", "dokku.log") }

// Dir returns the path of the app's bare repository.
func (s *Store) Dir(app string) string { return filepath.Join(s.Root, app) }

// File returns a path in the folder of the app's own files, beside git's.
func (s *Store) File(app string, elem ...string) string {
	return filepath.Join(append([]string{s.Dir(app), "dokku"}, elem...)...)
}

// Manifest returns the path of the file that a build writes when it begins, if the engine's
// BuildKit builds.
func (s *Store) Manifest(app string) string { return s.File(app, "manifest") }

// At names the next change of a file. A test can make it fail there.
func (s *Store) At(what string) error {
	if s.Fault == nil {
		return failpoint.Count("file", what)
	}
	return s.Fault(what)
}

// WriteJSON replaces a file. A crash at any moment leaves the old or the new content.
// When WriteJSON returns nil, the new content survives a power loss; *UnsyncedError
// says that it may not.
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

// replaceFile is disk.Replace with a call of at before each step.
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

// An UnsyncedError says that a file was replaced, but that a power loss may bring back
// the former content.
type UnsyncedError struct{ error }

func (e *UnsyncedError) Error() string {
	return "it was replaced, but a power loss may bring back the old content: " + e.error.Error()
}

func (e *UnsyncedError) Unwrap() error { return e.error }

// SweepTemporary removes the temporary files of killed writers. The caller holds the
// lock that guards the folders.
func (s *Store) SweepTemporary(dirs ...string) {
	for _, dir := range dirs {
		left, _ := filepath.Glob(filepath.Join(dir, ".*.json[0-9]*"))
		for _, path := range left {
			s.Disk.Remove(path)
		}
	}
}

// SweepCopies removes the temporary files of killed writers of files. The caller holds the
// lock under which these change.
func (s *Store) SweepCopies(paths ...string) {
	for _, path := range paths {
		dir, base := filepath.Split(path)
		left, _ := filepath.Glob(filepath.Join(dir, "."+base+"[0-9]*"))
		for _, path := range left {
			s.Disk.Remove(path)
		}
	}
}

// ReadJSON fills v from the file at path. It fails with fs.ErrNotExist if there is none,
// and refuses a file that a newer version of this program wrote.
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

// A newerError says that a newer version of this program wrote the file.
type newerError struct {
	path    string
	version int
}

func (e *newerError) Error() string {
	return fmt.Sprintf("cannot read %s: it has version %d, this dokku knows up to %d: install the newer dokku again",
		e.path, e.version, app.Version)
}

// RefuseNewer returns an error if a newer version of this program wrote any of the
// app's files, because an operation may replace or remove each of them. It ignores
// other read errors; the code that needs the file reports them.
func (s *Store) RefuseNewer(app string) error {
	paths := []string{s.File(app, "problem.json")}
	numbers, err := s.ReleaseNumbers(app)
	for _, n := range numbers {
		paths = append(paths, s.File(app, "releases", strconv.Itoa(n)+".json"))
	}
	if last, err := s.lastPast(app); err == nil && last != "" {
		paths = append(paths, last)
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

// SaveState replaces the app's state in one rename. The caller holds the app's lock. An
// app that a push created stays for good once it has a setting or a release.
func (s *Store) SaveState(name string, st *app.State) error {
	st.Version = app.Version
	if !st.Untouched() {
		st.Provisional, st.Kept = false, time.Time{}
	}
	return s.WriteJSON(s.File(name, "state.json"), st)
}

// Load reads an app. It fails with *app.NoAppError if there is none. Without the app's
// lock, another process may remove the release that the state names in the meantime;
// Load then reads the state again.
func (s *Store) Load(name string) (*app.App, error) {
	if err := app.ValidName(name); err != nil {
		return nil, err
	}
	for missing := 0; ; {
		a := &app.App{Name: name, Dir: s.Dir(name)}
		var err error
		if a.State, err = s.State(name); err != nil {
			return nil, err
		}
		n := a.State.Current
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

// State reads the state of an app and leaves its release alone, which costs several times
// as much. A missing app is an *app.NoAppError.
func (s *Store) State(name string) (st app.State, err error) {
	if err = app.ValidName(name); err != nil {
		return st, err
	}
	if err = ReadJSON(s.File(name, "state.json"), &st); errors.Is(err, fs.ErrNotExist) {
		err = &app.NoAppError{App: name}
	}
	return st, err
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

// Identity returns a random name for this root, which tells it from other roots on the
// same engine. The first call creates it. On an error, such as a full disk, it returns
// "", and networks get no label.
func (s *Store) Identity() string {
	if id := s.KnownIdentity(); id != "" {
		return id
	}
	f, err := os.CreateTemp(s.Own(), ".id")
	if err != nil {
		return ""
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(strings.ToLower(rand.Text()) + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		os.Link(f.Name(), s.Own("id")) // fails if another process was faster
	}
	return s.KnownIdentity()
}

// KnownIdentity is Identity without creating it: "" if there is none yet.
func (s *Store) KnownIdentity() string {
	id, _ := os.ReadFile(s.Own("id"))
	return strings.TrimSpace(string(id))
}
