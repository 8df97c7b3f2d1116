package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// mendRef looks, after a loss of power in the middle of a push, whether the disk has
// all of what git wrote: a new ref may be there without its content or without its
// objects. Then the push was not accepted, and the ref gets its former value again.
// It returns the ref's tip.
func (x *session) mendRef(st *Staged, tip string) (string, error) {
	if boot, err := bootID(); err != nil || boot == st.Owner.Boot {
		return tip, err
	}
	path := filepath.Join(x.Dir, filepath.FromSlash(st.Ref))
	content, err := os.ReadFile(path)
	damaged := err == nil && !wholeRef.Match(content)
	if !damaged && tip == st.New {
		err := hasAllObjects(x.Dir, st.New)
		if damaged = missing(err); err != nil && !damaged {
			return "", err
		}
	}
	if !damaged {
		return tip, nil
	}
	if err := sweepRepository(x.Dir, Owner{}); err != nil {
		return "", err
	}
	if st.Old == zeroID {
		err = errors.Join(x.Env.Store.disk.Remove(path), x.Env.Store.disk.Sync(filepath.Dir(path)))
	} else {
		err = replaceLocked(x.Env.Store.disk, path, []byte(st.Old+"\n"))
	}
	if err != nil {
		return "", fmt.Errorf("cannot give %s of %s its former value, after a loss of power has damaged it: %w", st.Ref, x.Name, err)
	}
	x.log.Warn("A loss of power has taken what was pushed to %s: it has its former value again", st.Ref)
	return readRef(x.Dir, st.Ref)
}

// wholeRef is the content of a loose ref.
var wholeRef = regexp.MustCompile(`^([0-9a-f]{40}|ref: .*)\n$`)
