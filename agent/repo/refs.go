package repo

import (
	"errors"
	"fmt"
	"strings"

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

// Obstacle returns an existing ref beside which git cannot create ref, since the name of one
// is a folder of the other: main and main/x. It is "" if there is none.
func Obstacle(dir, ref string) (string, error) {
	st := filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(0))
	refs, err := st.IterReferences()
	if err != nil {
		return "", fmt.Errorf("cannot list the refs of %s: %w", dir, err)
	}
	obstacle := ""
	err = refs.ForEach(func(r *plumbing.Reference) error {
		if Obstructs(r.Name().String(), ref) {
			obstacle = r.Name().String()
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("cannot list the refs of %s: %w", dir, err)
	}
	return obstacle, nil
}

// Obstructs reports whether git cannot have two refs at the same time.
func Obstructs(a, b string) bool {
	return strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}
