package repo

import (
	"errors"
	"fmt"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"dokku/agent/failpoint"
)

// Ref returns the commit id of a loose or packed ref, or "" if it does not exist.
func Ref(dir, ref string) (string, error) {
	if err := failpoint.Count("git", "read a ref"); err != nil {
		return "", err
	}
	st := filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(0))
	r, err := st.Reference(plumbing.ReferenceName(ref))
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read %s of %s: %w", ref, dir, err)
	}
	return r.Hash().String(), nil
}
