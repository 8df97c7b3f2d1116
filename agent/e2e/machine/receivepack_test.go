package machine

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"dokku/build/source"
)

// A pack holds the files that git makes of a push: name, content.
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
		p[filepath.Base(path)] = data
	}
	if len(p) < 2 {
		t.Fatalf("git has made the files %v", found)
	}
	return p
}

// receive writes files as git receive-pack does before pre-receive: a pack of the new
// objects in a quarantine, its content synced. The quarantine has no git name, because
// a sweep would remove it: no git of that push runs.
func (m *machine) receive(app, revision string) (source.Options, error) {
	d, o := m.server.Env.Store.Disk, source.Options{GitDir: m.server.Env.Store.Dir(app)}
	p := m.packs[revision]
	if p == nil { // there already
		return o, nil
	}
	o.Alternates, o.ObjectDir = filepath.Join(o.GitDir, "objects"), filepath.Join(o.GitDir, "objects", "tmp_quarantine")
	err := errors.Join(d.RemoveAll(o.ObjectDir), d.Mkdir(o.ObjectDir, 0o700), d.Mkdir(filepath.Join(o.ObjectDir, "pack"), 0o700))
	for name, data := range p {
		path := filepath.Join(o.ObjectDir, "pack", name)
		err = errors.Join(err, d.Create(path, data, 0o400), d.Sync(path))
	}
	return o, err
}

// accept changes files as git receive-pack does after pre-receive, with
// core.fsync=reference: it syncs no folder.
func (m *machine) accept(app, revision string, o source.Options) error {
	d := m.server.Env.Store.Disk
	var err error
	for name := range m.packs[revision] {
		err = errors.Join(err, d.Rename(filepath.Join(o.ObjectDir, "pack", name), filepath.Join(o.GitDir, "objects", "pack", name)))
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
