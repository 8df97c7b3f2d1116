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

	"github.com/go-git/go-git/v5/plumbing"

	"dokku/agent/disk"
	"dokku/agent/failpoint"
)

// repositoryConfig is the configuration of an app's repository.
//
// Shallow clones, the default of CI services, can push (shallowUpdate), and
// what git accepts into the object store is well formed (fsckObjects; build
// checks what fsck lets pass). gc never runs on its own: receive-pack would
// start it behind a push, where it removes packs that another push's build is
// reading. packRepository does it under the app's lock instead. The log of refs
// keeps what kept releases were built from for as long as git's default says.
//
// Git's default loses the ref of a push when the power goes (fsync), and a push of
// up to a hundred objects comes as a file for each, of which each would have to be
// synced: one pack is two files (unpackLimit). See harden for older repositories.
const repositoryConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = true
	fsync = committed,reference
[receive]
	shallowUpdate = true
	fsckObjects = true
	advertisePushOptions = true
	autogc = false
	unpackLimit = 1
[gc]
	auto = 0
[maintenance]
	auto = false
`

// HookNames are the hooks that are links to this program, which looks at the
// name it was called by: no shell stands between git and us.
var HookNames = []string{"pre-receive", "post-receive"}

// Init creates the bare repository of an app at dir, with SHA-1
// objects, HEAD at main, and hooks that run binary. The files are written here
// instead of by git init, so that no template, no configuration and no variable
// of the host changes what comes out.
//
// It is made beside dir and renamed: a crash leaves the folder .NAME.new, which
// the next call replaces. In a repository that exists it only mends the hooks.
func Init(d disk.Disk, dir, binary string) error {
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return LinkHooks(d, dir, binary)
	}
	tmp := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".new")
	if err := d.RemoveAll(tmp); err != nil {
		return fmt.Errorf("cannot create the repository %s: %w", dir, err)
	}
	if err := fillRepository(d, tmp, binary); err != nil {
		d.RemoveAll(tmp)
		return fmt.Errorf("cannot create the repository %s: %w", dir, err)
	}
	err := failpoint.Count("git", "rename a new repository")
	if err == nil {
		err = d.Rename(tmp, dir)
	}
	if err != nil {
		d.RemoveAll(tmp)
		return fmt.Errorf("cannot create the repository %s: %w (a folder that is no repository may be in the way)", dir, err)
	}
	return d.Sync(filepath.Dir(dir))
}

func fillRepository(d disk.Disk, dir, binary string) error {
	folders := []string{"", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags", "hooks", "info"}
	for n, f := range folders {
		folders[n] = filepath.Join(dir, f)
		if err := d.Mkdir(folders[n], 0o700); err != nil {
			return err
		}
	}
	if err := d.Replace(filepath.Join(dir, "config"), []byte(repositoryConfig), 0o600); err != nil {
		return err
	}
	if err := LinkHooks(d, dir, binary); err != nil {
		return err
	}
	if err := d.SyncAll(folders...); err != nil {
		return err
	}
	// Last: HEAD is what makes the folder a repository.
	return d.Replace(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600)
}

// LinkHooks points the hooks at binary. What else an administrator put into the
// folder stays; a pre-receive of theirs is an error, since without ours a push
// would be accepted and never deployed.
func LinkHooks(d disk.Disk, dir, binary string) error {
	for _, name := range HookNames {
		path := filepath.Join(dir, "hooks", name)
		if target, err := os.Readlink(path); err == nil && target == binary {
			continue
		}
		if fi, err := os.Lstat(path); err == nil && fi.Mode().Type() != fs.ModeSymlink {
			return fmt.Errorf("cannot replace the hook %s: it is not a link that dokku made: move it away", path)
		}
		tmp := path + ".new"
		d.Remove(tmp)
		if err := d.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := d.Symlink(binary, tmp); err != nil {
			return err
		}
		if err := d.Rename(tmp, path); err != nil {
			return err
		}
	}
	return nil
}

// SetHead makes HEAD name the branch, since a clone of a repository whose HEAD
// names another branch comes out empty. The lock file is git's own protocol; a
// crash leaves HEAD.lock, which sweepRepository removes.
func SetHead(d disk.Disk, dir, branch string) error {
	if err := failpoint.Count("git", "set HEAD"); err != nil {
		return err
	}
	ref := plumbing.NewBranchReferenceName(branch)
	if err := ref.Validate(); err != nil {
		return fmt.Errorf("cannot make %q the branch of %s: %w", branch, dir, err)
	}
	path, content := filepath.Join(dir, "HEAD"), "ref: "+ref.String()+"\n"
	if old, err := os.ReadFile(path); err == nil && string(old) == content {
		return nil
	}
	if err := ReplaceLocked(d, path, []byte(content)); err != nil {
		return fmt.Errorf("cannot make %s the branch of %s: %w", branch, dir, err)
	}
	return nil
}

// ReplaceLocked replaces one of git's own files by git's own protocol: whoever
// makes the lock file may.
func ReplaceLocked(d disk.Disk, path string, data []byte) error {
	lock := path + ".lock"
	err := d.Create(lock, data, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("git holds %s there: try again", filepath.Base(lock))
	}
	if err == nil {
		err = d.Sync(lock)
	}
	if err == nil {
		err = d.Rename(lock, path)
	}
	if err != nil {
		d.Remove(lock)
		return err
	}
	return d.Sync(filepath.Dir(path))
}

// PackLimit is how many packs a repository may have: each push brings one.
const PackLimit = 50

// Pack lets git pack what many pushes left behind, if it is much. The
// caller holds the app's lock: what a push reads must not vanish meanwhile.
func Pack(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "-c", "gc.auto=2000", "-c", fmt.Sprintf("gc.autoPackLimit=%d", PackLimit), "-c", "gc.autoDetach=false",
		"gc", "--auto", "--quiet")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot pack the repository %s: %w: %s", dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Packs counts the packs of a repository.
func Packs(dir string) int {
	list, _ := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	return len(list)
}
