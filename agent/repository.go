package agent

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
const repositoryConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = true
[receive]
	shallowUpdate = true
	fsckObjects = true
	advertisePushOptions = true
	autogc = false
[gc]
	auto = 0
[maintenance]
	auto = false
`

// hookNames are the hooks that are links to this program, which looks at the
// name it was called by: no shell stands between git and us.
var hookNames = []string{"pre-receive", "post-receive"}

// initRepository creates the bare repository of an app at dir, with SHA-1
// objects, HEAD at main, and hooks that run binary. The files are written here
// instead of by git init, so that no template, no configuration and no variable
// of the host changes what comes out.
//
// It is made beside dir and renamed: a crash leaves the folder .NAME.new, which
// the next call replaces. In a repository that exists it only mends the hooks.
func initRepository(dir, binary string) error {
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return linkHooks(dir, binary)
	}
	tmp := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".new")
	if err := os.RemoveAll(tmp); err != nil {
		return fmt.Errorf("cannot create the repository %s: %w", dir, err)
	}
	if err := fillRepository(tmp, binary); err != nil {
		os.RemoveAll(tmp)
		return fmt.Errorf("cannot create the repository %s: %w", dir, err)
	}
	err := failpoint.Count("git", "rename a new repository")
	if err == nil {
		err = os.Rename(tmp, dir)
	}
	if err != nil {
		os.RemoveAll(tmp)
		return fmt.Errorf("cannot create the repository %s: %w (a folder that is no repository may be in the way)", dir, err)
	}
	return syncDir(filepath.Dir(dir))
}

func fillRepository(dir, binary string) error {
	folders := []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "hooks", "info"}
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(dir, f), 0o700); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(dir, "config"), []byte(repositoryConfig)); err != nil {
		return err
	}
	if err := linkHooks(dir, binary); err != nil {
		return err
	}
	for _, f := range append(folders, "objects", "refs") {
		if err := syncDir(filepath.Join(dir, f)); err != nil {
			return err
		}
	}
	// Last: HEAD is what makes the folder a repository.
	return writeFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"))
}

// linkHooks points the hooks at binary. What else an administrator put into the
// folder stays; a pre-receive of theirs is an error, since without ours a push
// would be accepted and never deployed.
func linkHooks(dir, binary string) error {
	for _, name := range hookNames {
		path := filepath.Join(dir, "hooks", name)
		if target, err := os.Readlink(path); err == nil && target == binary {
			continue
		}
		if fi, err := os.Lstat(path); err == nil && fi.Mode().Type() != fs.ModeSymlink {
			return fmt.Errorf("cannot replace the hook %s: it is not a link that dokku made: move it away", path)
		}
		tmp := path + ".new"
		os.Remove(tmp)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.Symlink(binary, tmp); err != nil {
			return err
		}
		if err := os.Rename(tmp, path); err != nil {
			return err
		}
	}
	return nil
}

// setHead makes HEAD name the branch, since a clone of a repository whose HEAD
// names another branch comes out empty. The lock file is git's own protocol; a
// crash leaves HEAD.lock, which sweepRepository removes.
func setHead(dir, branch string) error {
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
	f, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make %s the branch of %s: git holds HEAD.lock there: try again", branch, dir)
	}
	if err != nil {
		return fmt.Errorf("cannot make %s the branch of %s: %w", branch, dir, err)
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".lock", path)
	}
	if err != nil {
		os.Remove(path + ".lock")
		return fmt.Errorf("cannot make %s the branch of %s: %w", branch, dir, err)
	}
	return syncDir(dir)
}

// packRepository lets git pack what many pushes left behind, if it is much. The
// caller holds the app's lock: what a push reads must not vanish meanwhile.
func packRepository(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "-c", "gc.auto=2000", "-c", "gc.autoPackLimit=50", "-c", "gc.autoDetach=false",
		"gc", "--auto", "--quiet")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot pack the repository %s: %w: %s", dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}
