package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"dokku/agent/event"
)

// RegistryDir is the folder of an app's own logins to registries, beside its state.
const RegistryDir = "registry"

// Registries returns the folders with the logins that an app's images are pulled with, in
// the order in which they are asked: the app's, then the server's.
func (s *Store) Registries(app string) []string {
	return []string{s.File(app, RegistryDir), s.DockerConfig()}
}

// ServedRegistry is the file, below DOKKU_ROOT, with the settings of the registry that this
// server has; see package registry.
func (s *Store) ServedRegistry() string { return s.Own("registry", "served.json") }

// DockerConfig returns the folder of the server's logins to registries. It is that of
// docker login, if DOKKU_ROOT is the home of this program's user.
func (s *Store) DockerConfig() string { return filepath.Join(s.Root, ".docker") }

// Credentials lists the files, below DOKKU_ROOT, with which the server fetches code and
// images elsewhere: passwords of git servers, keys of their hosts, its own key, logins to
// registries.
var Credentials = []string{".netrc", ".ssh/known_hosts", ".ssh/id_ed25519", ".ssh/id_ed25519.pub", ".docker/config.json"}

// ChangeFile replaces a file of the server that is not one of its JSON files, under the
// lock of the server's settings. change gets the present content, nil if there is none.
// Only the owner can read the new file, and a folder that has to be made.
func (s *Store) ChangeFile(ctx context.Context, path string, change func([]byte) ([]byte, error)) error {
	l, err := s.LockApp(ctx, SettingsLock, "changing "+filepath.Base(path), event.Log{})
	if err != nil {
		return err
	}
	defer l.Release()
	s.SweepCopies(path) // they may have secrets
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := change(old)
	if err != nil {
		return err
	}
	if err := s.Disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := s.At("replace " + filepath.Base(path)); err != nil {
		return err
	}
	return s.Disk.Replace(path, data, 0o600)
}
