package agent

import (
	"os"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// provisionalAge is how old an app must be before anybody but the push that
// made it takes it away: that push may not have started its git yet.
const provisionalAge = time.Minute

// young reports whether the app was made only just now.
func (x *session) young() bool {
	fi, err := os.Stat(x.file(x.Name, "state.json"))
	return err == nil && time.Since(fi.ModTime()).Abs() < provisionalAge
}

// hasRefs reports whether the repository has a branch, a tag or any other ref.
func hasRefs(dir string) (bool, error) {
	st := filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(0))
	refs, err := st.IterReferences()
	if err != nil {
		return false, err
	}
	defer refs.Close()
	found := false
	err = refs.ForEach(func(r *plumbing.Reference) error {
		found = found || r.Type() == plumbing.HashReference
		return nil
	})
	return found, err
}

// pushing reports whether a git works in the repository that may move a ref.
func pushing(dir string) bool {
	writers, err := writersOf(dir, Owner{})
	return err != nil || len(writers) > 0
}
