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

// restoreRef returns the ref's tip. If the machine lost power during the push, a new ref
// may be on the disk without its content or its objects. Then git did not accept the
// push, and restoreRef gives the ref its former value.
func (x *Session) restoreRef(st *app.Staged, tip string) (string, error) {
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
		return "", fmt.Errorf("cannot restore %s of %s, which a power loss damaged: %w", st.Ref, x.Name, err)
	}
	x.Log.Warn("A power loss damaged the push to %s: the ref has its former value again", st.Ref)
	return repo.Ref(x.Dir, st.Ref)
}

// wholeRef matches the content of a loose ref.
var wholeRef = regexp.MustCompile(`^([0-9a-f]{40}|ref: .*)\n$`)
