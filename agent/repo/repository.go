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
// shallowUpdate lets shallow clones push, the default of CI services. fsckObjects
// refuses malformed objects; package source checks what fsck lets pass. autogc and auto
// turn off gc, which receive-pack would start behind a push; Pack replaces it.
// logAllRefUpdates keeps the commits of kept releases for as long as git's default says.
//
// fsync: by default git may lose the ref of a push in a power loss. unpackLimit: by
// default git unpacks a push of up to a hundred objects into a file each, and would have
// to sync each one; a pack is two files. Harden adds both to older repositories.
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

// HookNames lists the hooks that are links to this program. It looks at the name that
// it was called by.
var HookNames = []string{"pre-receive", "post-receive"}

// Init creates the bare repository of an app at dir, with SHA-1 objects, HEAD at main,
// and hooks that run binary. In an existing repository it only repairs the hooks.
//
// It builds the repository beside dir and renames it. A crash leaves the folder
// .NAME.new, which the next call replaces.
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

// Configure gives a repository the configuration that Init makes, in the place of any other:
// one that comes from elsewhere may name programs that git then runs.
func Configure(d disk.Disk, dir string) error {
	return d.Replace(filepath.Join(dir, "config"), []byte(repositoryConfig), 0o600)
}

func fillRepository(d disk.Disk, dir, binary string) error {
	folders := []string{"", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags", "hooks", "info"}
	for n, f := range folders {
		folders[n] = filepath.Join(dir, f)
		if err := d.Mkdir(folders[n], 0o700); err != nil {
			return err
		}
	}
	if err := Configure(d, dir); err != nil {
		return err
	}
	if err := LinkHooks(d, dir, binary); err != nil {
		return err
	}
	if err := d.SyncAll(folders...); err != nil {
		return err
	}
	// Write HEAD last: it makes the folder a repository.
	return d.Replace(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600)
}

// LinkHooks makes the hooks links to binary. It keeps other files in the folder. A file
// of an administrator in the place of our hook is an error: without ours, git would
// accept pushes that are never deployed.
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

// SetHead makes HEAD name the branch. Without it, a clone would come out empty. A crash
// leaves HEAD.lock, which Sweep removes.
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

// ReplaceLocked replaces one of git's own files with git's own protocol: the process
// that creates the lock file may replace the file.
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

// PackLimit is the number of packs above which Pack packs a repository. Each push adds
// a pack.
const PackLimit = 50

// Pack lets git pack the repository if it has many packs or loose objects. The caller
// holds the app's lock, so that no push reads a pack that git removes.
func Pack(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "-c", "gc.auto=2000", "-c", fmt.Sprintf("gc.autoPackLimit=%d", PackLimit), "-c", "gc.autoDetach=false",
		"gc", "--auto", "--quiet")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), FrugalEnv()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot pack the repository %s: %w: %s", dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// PackAll lets git pack the whole repository anew, as small as it can. The caller holds
// the app's lock, as for Pack. Objects that no ref needs stay for two weeks, git's default.
func PackAll(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "gc", "--aggressive", "--quiet")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), NoReplace)
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
