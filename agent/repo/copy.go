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

// Files lists git's files beside refs, logs and objects, in the order of Copy.
var Files = []string{"packed-refs", "HEAD", "shallow", "config", "info"}

// Copy copies a bare repository while git may write to it: refs first and objects last,
// so that the objects of all copied refs are there. The caller holds the app's lock,
// so that nothing packs the repository.
func Copy(from, to string) error {
	for _, name := range append([]string{"refs", "logs"}, Files...) {
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

// Complete creates the folders that git requires in a repository.
func Complete(dir string) error {
	var errs []error
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "info"} {
		errs = append(errs, os.MkdirAll(filepath.Join(dir, sub), 0o700))
	}
	return errors.Join(errs...)
}

// CopyFiles copies a file, or all files below a folder, without git's lock files. It
// skips missing files, because git may delete a ref at the same time.
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

// linkObjects links the objects, which never change. It skips the objects of pushes that
// are not accepted yet.
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

// PackRefs puts all refs of a copy into one file. Their names are then content, which may be
// of any bytes and any length, and not names of files.
func PackRefs(ctx context.Context, dir string) error { return runGit(ctx, dir, "pack-refs", "--all") }

// Fsck checks that the repository has all objects that its refs need.
func Fsck(ctx context.Context, dir string) error {
	err := runGit(ctx, dir, "fsck", "--connectivity-only", "--no-dangling", "--no-reflogs", "--no-progress")
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("git finds the repository damaged: %w: push all branches again to a new app, or name the other apps", err)
}

// runGit runs git in a bare repository. The error has the first line that it printed.
func runGit(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=" + dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", NoReplace)
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("%s (%w)", first, err)
}
