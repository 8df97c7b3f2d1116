package repo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"dokku/agent/disk"
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

// manyRefs is the number of files of refs above which PackManyRefs packs them.
const manyRefs = 200

// PackManyRefs puts the refs into one file if they are many files: each is an inode, and git
// reads all of them for every push. The caller holds the app's lock.
func PackManyRefs(ctx context.Context, d disk.Disk, dir string) error {
	loose, err := looseRefs(dir)
	if err != nil || len(loose) <= manyRefs {
		return err
	}
	if err := PackRefs(ctx, dir); err != nil {
		return err
	}
	return SyncRefs(d, dir, "")
}

// looseRefs returns the names of the refs that have a file.
func looseRefs(dir string) (names []string, err error) {
	err = filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // git removes refs and their folders
			return nil
		case err == nil && !e.IsDir() && !strings.HasSuffix(path, ".lock"):
			name, err := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
			return err
		}
		return err
	})
	return names, err
}

// CountRefs returns the number of branches, tags and other refs. It counts files and lines
// and reads no ref.
func CountRefs(dir string) (int, error) {
	refs := map[string]bool{}
	packed, err := os.Open(filepath.Join(dir, "packed-refs"))
	if err == nil {
		lines := bufio.NewScanner(packed)
		for lines.Scan() {
			if _, name, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "refs/") {
				refs[name] = true
			}
		}
		err = lines.Err()
		packed.Close()
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		var loose []string
		loose, err = looseRefs(dir)
		for _, name := range loose {
			refs[name] = true
		}
	}
	if err != nil {
		return 0, fmt.Errorf("cannot count the refs of %s: %w", dir, err)
	}
	return len(refs), nil
}
