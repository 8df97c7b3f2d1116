package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"dokku/agent/store"
)

// restoreCredentials puts the files with which the server fetches code and images
// elsewhere in their place. It never replaces one of the server's own, and never makes a
// key of the backup half of a pair: both halves stay if one is there.
func (x *restore) restoreCredentials(ctx context.Context) error {
	st := x.Server.Env.Store
	_, err := os.Lstat(filepath.Join(st.Root, ".ssh", "id_ed25519"))
	hasKey := err == nil
	for _, name := range store.Credentials {
		data, err := os.ReadFile(filepath.Join(x.dir, backupCredentials, name))
		if errors.Is(err, fs.ErrNotExist) || hasKey && filepath.Base(name) == "id_ed25519.pub" {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Join(st.Root, name)); err == nil {
			continue
		}
		if err := st.ChangeFile(ctx, filepath.Join(st.Root, name), func([]byte) ([]byte, error) { return data, nil }); err != nil {
			return fmt.Errorf("cannot restore %s: %w", name, err)
		}
	}
	return nil
}
