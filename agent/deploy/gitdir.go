package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dokku/agent/repo"
	"dokku/build/source"
)

// gitDir is the folder in which a build's .git folder is made. It belongs to the holder of
// the app's lock, who removes what a killed one left.
func (x *Session) gitDir() string { return x.Env.Store.File(x.Name, "git-dir") }

// addGitDir adds a .git folder to what is built, if git:set keep-git-dir asks for it. A
// build of a folder of the repository gets none, as in Dokku. The caller calls remove when
// nothing reads the files any more.
func (b *building) addGitDir(ctx context.Context) (remove func(), err error) {
	x := b.session
	to := x.gitDir()
	remove = func() { x.Env.Store.Disk.RemoveAll(to) }
	if remove(); x.View().KeepGitDir() != "true" || b.commit.Dir != "" {
		return remove, nil
	}
	done := x.Log.Timed("git folder")
	defer func() { done(err) }()
	shallow, err := b.shallow()
	if err == nil {
		err = repo.WriteGitDir(ctx, to, repo.Revision{Dir: x.Dir, Objects: b.objects.ObjectDir, Alternates: b.objects.Alternates,
			Commit: b.release.Revision, Branch: b.branch, Shallow: shallow})
	}
	if err == nil {
		err = b.source.AddFolder(ctx, b.commit, ".git", to)
	}
	if err != nil {
		remove()
		return nil, fmt.Errorf("cannot make the .git folder that git:set keep-git-dir asks for: %w", err)
	}
	return remove, nil
}

// shallow returns the commits at which the history ends: those of the repository, and those
// of the pushed branch, of which git tells its hooks nothing.
func (b *building) shallow() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(b.session.Dir, "shallow"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	known, err := source.Open(source.Options{GitDir: b.session.Dir})
	if err != nil {
		return nil, err
	}
	defer known.Close()
	ends, err := b.source.Boundary(b.release.Revision, known)
	return append(strings.Fields(string(text)), ends...), err
}
