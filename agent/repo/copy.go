package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// RepositoryFiles are what git keeps beside refs and objects, in the order in which
// they are copied.
var RepositoryFiles = []string{"packed-refs", "HEAD", "shallow", "config", "info"}

// Copy copies a bare repository that git may be writing to. The order
// matters: see package backup.
func Copy(from, to string) error {
	for _, name := range append([]string{"refs", "logs"}, RepositoryFiles...) {
		if err := CopyFiles(from, to, name); err != nil {
			return fmt.Errorf("cannot copy the repository: %w", err)
		}
	}
	if err := Complete(to); err != nil {
		return fmt.Errorf("cannot copy the repository: %w", err)
	}
	if err := linkObjects(from, to); err != nil {
		return fmt.Errorf("cannot copy the repository: %w", err)
	}
	return nil
}

// Complete makes the folders without which git sees no repository.
func Complete(dir string) error {
	var errs []error
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "info"} {
		errs = append(errs, os.MkdirAll(filepath.Join(dir, sub), 0o700))
	}
	return errors.Join(errs...)
}

// CopyFiles copies a file, or all files below a folder, without git's lock files.
// What is not there, or goes away meanwhile (a ref that is deleted), is left out.
func CopyFiles(from, to, name string) error {
	return filepath.WalkDir(filepath.Join(from, name), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, rerr := filepath.Rel(from, path)
		if err = errors.Join(err, rerr); err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
			return err
		}
		return os.WriteFile(dst, data, 0o600)
	})
}

// linkObjects links the objects, which never change, without the ones that a push
// may still take back.
func linkObjects(from, to string) error {
	from, to = filepath.Join(from, "objects"), filepath.Join(to, "objects")
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		temporary := strings.HasPrefix(d.Name(), "tmp_") || strings.HasPrefix(d.Name(), "incoming-")
		switch {
		case d.IsDir() && temporary:
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case temporary || strings.HasSuffix(rel, ".lock") || rel == filepath.Join("info", "alternates"):
			return nil
		}
		if err := os.Link(path, filepath.Join(to, rel)); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return CopyFiles(from, to, rel)
	})
}

// Fsck lets git read a copy: each ref, and all that it leads to, has to
// be there.
func Fsck(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "--git-dir="+dir, "fsck", "--connectivity-only", "--no-dangling", "--no-reflogs", "--no-progress")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("git finds the repository damaged: %s (%w): push all branches again to a new app, or name the other apps", first, err)
}
