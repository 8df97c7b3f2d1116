package deploy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"dokku/agent/app"
	"dokku/agent/proc"
	"dokku/agent/repo"
)

// mendRef looks, after a loss of power in the middle of a push, whether the disk has
// all of what git wrote: a new ref may be there without its content or without its
// objects. Then the push was not accepted, and the ref gets its former value again.
// It returns the ref's tip.
func (x *Session) mendRef(st *app.Staged, tip string) (string, error) {
	if boot, err := proc.BootID(); err != nil || boot == st.Owner.Boot {
		return tip, err
	}
	path := filepath.Join(x.Dir, filepath.FromSlash(st.Ref))
	content, err := os.ReadFile(path)
	damaged := err == nil && !wholeRef.Match(content)
	if !damaged && tip == st.New {
		err := repo.HasAllObjects(x.Dir, st.New)
		if damaged = repo.Missing(err); err != nil && !damaged {
			return "", err
		}
	}
	if !damaged {
		return tip, nil
	}
	if err := repo.Sweep(x.Dir, proc.Owner{}); err != nil {
		return "", err
	}
	if st.Old == ZeroID {
		err = errors.Join(x.Env.Store.Disk.Remove(path), x.Env.Store.Disk.Sync(filepath.Dir(path)))
	} else {
		err = repo.ReplaceLocked(x.Env.Store.Disk, path, []byte(st.Old+"\n"))
	}
	if err != nil {
		return "", fmt.Errorf("cannot give %s of %s its former value, after a loss of power has damaged it: %w", st.Ref, x.Name, err)
	}
	x.Log.Warn("A loss of power has taken what was pushed to %s: it has its former value again", st.Ref)
	return repo.Ref(x.Dir, st.Ref)
}

// wholeRef is the content of a loose ref.
var wholeRef = regexp.MustCompile(`^([0-9a-f]{40}|ref: .*)\n$`)
