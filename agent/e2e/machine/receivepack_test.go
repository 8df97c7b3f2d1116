package machine

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"dokku/build/source"
)

// A pack holds the files that git makes of a push, by their path below objects/.
type pack map[string][]byte

// newPack returns the files that git sends for revision to a repository that has not.
func newPack(t *testing.T, h history, revision string, not ...string) pack {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("git", "-C", h.dir, "pack-objects", "-q", "--revs", filepath.Join(dir, "pack"))
	text := revision + "\n"
	for _, r := range not {
		text += "^" + r + "\n"
	}
	cmd.Stdin = bytes.NewBufferString(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git pack-objects: %v\n%s", err, out)
	}
	p := pack{}
	found, _ := filepath.Glob(filepath.Join(dir, "pack-*"))
	for _, path := range found {
		data, err := os.ReadFile(path)
		check(t, err)
		p[filepath.Join("pack", filepath.Base(path))] = data
	}
	if len(p) < 2 {
		t.Fatalf("git has made the files %v", found)
	}
	return p
}

// packOf returns the objects of a repository as git would send them: a pack of the loose
// ones, and the packs that there are. It starts no git: for a moment a child holds the
// locks of all cells that run at the same time.
func packOf(repo string) (pack, error) {
	loose, err := dotgit.New(osfs.New(repo)).Objects()
	if err != nil {
		return nil, err
	}
	if len(loose) > 0 {
		st := filesystem.NewStorage(osfs.New(repo), cache.NewObjectLRUDefault())
		w, err := st.PackfileWriter()
		if err != nil {
			return nil, err
		}
		_, err = packfile.NewEncoder(w, st, false).Encode(loose, 0)
		if err = errors.Join(err, w.Close()); err != nil {
			return nil, err
		}
	}
	p := pack{}
	found, _ := filepath.Glob(filepath.Join(repo, "objects", "pack", "pack-*"))
	for _, path := range found {
		if p[filepath.Join("pack", filepath.Base(path))], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	if len(p) == 0 { // the app has all of them
		return nil, nil
	}
	return p, nil
}

// receive writes files as git receive-pack does before pre-receive: a pack of the new
// objects in a quarantine, its content synced. The quarantine has no git name, because
// a sweep would remove it: no git of that push runs. Without a pack, all is there already.
func (m *machine) receive(app string, p pack) (source.Options, error) {
	d, o := m.server.Env.Store.Disk, source.Options{GitDir: m.server.Env.Store.Dir(app)}
	if p == nil {
		return o, nil
	}
	o.Alternates, o.ObjectDir = filepath.Join(o.GitDir, "objects"), filepath.Join(o.GitDir, "objects", "tmp_quarantine")
	err := errors.Join(d.RemoveAll(o.ObjectDir), d.Mkdir(o.ObjectDir, 0o700))
	for _, name := range slices.Sorted(maps.Keys(p)) {
		path := filepath.Join(o.ObjectDir, name)
		err = errors.Join(err, d.MkdirAll(filepath.Dir(path), 0o700), d.Create(path, p[name], 0o400), d.Sync(path))
	}
	return o, err
}

// accept changes files as git receive-pack does after pre-receive, with
// core.fsync=reference: it syncs no folder.
func (m *machine) accept(app, revision string, p pack, o source.Options) error {
	d := m.server.Env.Store.Disk
	var err error
	for _, name := range slices.Sorted(maps.Keys(p)) {
		to := filepath.Join(o.GitDir, "objects", name)
		err = errors.Join(err, d.MkdirAll(filepath.Dir(to), 0o700), d.Rename(filepath.Join(o.ObjectDir, name), to))
	}
	if o.ObjectDir != "" {
		err = errors.Join(err, d.RemoveAll(o.ObjectDir))
	}
	ref := filepath.Join(m.server.Env.Store.Dir(app), "refs/heads/main")
	if err == nil {
		err = d.Create(ref+".lock", []byte(revision+"\n"), 0o600)
	}
	if err == nil && !m.oldGit {
		err = d.Sync(ref + ".lock")
	}
	if err == nil {
		err = d.Rename(ref+".lock", ref)
	}
	return err
}
