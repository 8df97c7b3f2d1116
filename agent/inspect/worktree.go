package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/disk"
	"dokku/agent/remote"
	"dokku/build/source"
)

// A WorkingTree is the files of a folder, as git would commit them.
type WorkingTree struct {
	Source *source.Source
	// Commit is that of the repository's HEAD, or of the revision that was asked for. If the
	// files differ from it, Commit has their tree and no other commit's id.
	Commit source.Commit
	// Dir is the folder's path in its repository; "": the root.
	Dir string
	// Uncommitted: git does not have all files as they are. Bare: no git has them at all.
	Uncommitted, Bare bool

	tmp string
}

// Close removes what OpenWorkingTree made.
func (w *WorkingTree) Close() error {
	if w.Source != nil {
		w.Source.Close()
	}
	return os.RemoveAll(w.tmp)
}

// OpenWorkingTree reads the files of dir, or those of the commit that revision names in its
// repository. It changes nothing there: new objects lie in a temporary folder until Close.
// It needs git.
func OpenWorkingTree(ctx context.Context, dir, revision string) (*WorkingTree, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("cannot read %s: it is not a folder", dir)
	}
	tmp, err := os.MkdirTemp("", "dokku-validate-")
	if err != nil {
		return nil, err
	}
	w := &WorkingTree{tmp: tmp}
	if err := w.read(&gitClient{ctx: ctx, dir: dir, tmp: tmp}, revision); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *WorkingTree) read(g *gitClient, revision string) error {
	// A bare repository has no prefix, and a repository may have no index yet.
	text, err := g.run("rev-parse", "--git-common-dir", "--git-path", "index", "--is-inside-work-tree", "--show-prefix")
	lines := append(strings.Split(text, "\n"), "")
	common := g.path(lines[0])
	var failed *gitError
	switch {
	case errors.As(err, &failed) && strings.Contains(failed.text, "not a git repository"):
		common, err = w.bare(g, revision)
	case err != nil:
	case len(lines) < 4:
		err = fmt.Errorf("cannot read %s: git rev-parse says %q", g.dir, text)
	default:
		w.Dir = strings.TrimSuffix(lines[3], "/")
		err = w.inside(g, common, g.path(lines[1]), lines[2] == "true", revision)
	}
	if err != nil {
		return err
	}
	return w.open(g, common)
}

// bare makes a repository for a folder that is in none.
func (w *WorkingTree) bare(g *gitClient, revision string) (common string, err error) {
	if revision != "" {
		return "", fmt.Errorf("cannot read the commit %s: %s is in no git repository", revision, g.dir)
	}
	common = filepath.Join(w.tmp, "repo")
	if _, err := g.run("init", "--quiet", "--bare", common); err != nil {
		return "", err
	}
	w.Bare, g.repo = true, common
	return common, w.add(g)
}

// inside reads a folder of a repository, which has its objects in common. tree: it is a
// working tree.
func (w *WorkingTree) inside(g *gitClient, common, index string, tree bool, revision string) (err error) {
	switch {
	case revision != "":
		w.Commit.Hash, err = g.run("rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
		if err != nil {
			return fmt.Errorf("cannot read the commit %q: %s has none of this name", revision, g.dir)
		}
		return nil
	case !tree:
		return fmt.Errorf("cannot read %s: it is no working tree of git; choose a commit: --commit REV", g.dir)
	}
	if err := copyFile(index, g.index()); err != nil {
		return err
	}
	// New objects go to a folder of their own, which reads those of the repository.
	info := filepath.Join(g.objects(), "info")
	if err := os.MkdirAll(info, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(info, "alternates"), []byte(filepath.Join(common, "objects")+"\n"), 0o600); err != nil {
		return err
	}
	g.apart = true
	return w.add(g)
}

// copyFile copies a file, if it exists.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	return err
}

// add has git add all files, and names the commit that has them: HEAD, or one of its own.
func (w *WorkingTree) add(g *gitClient) error {
	if _, err := g.run("add", "--all"); err != nil {
		return err
	}
	tree, err := g.run("write-tree")
	if err != nil {
		return err
	}
	// It fails where nothing is committed yet.
	if text, err := g.run("rev-parse", "--quiet", "HEAD^{commit}", "HEAD^{tree}", "--"); err == nil {
		if lines := strings.Split(text, "\n"); len(lines) > 1 && lines[1] == tree {
			w.Commit.Hash = lines[0]
			return nil
		}
	}
	w.Uncommitted = true
	w.Commit.Hash, err = g.run("commit-tree", "-m", "working tree", tree)
	return err
}

// open opens the objects, and reads the commit.
func (w *WorkingTree) open(g *gitClient, common string) error {
	f := &remote.Fetcher{CheckOnly: true, Cache: filepath.Join(w.tmp, "fetched"), Disk: disk.Disk{}}
	o := source.Options{GitDir: common, Remotes: f}
	if g.apart {
		o.ObjectDir = g.objects()
	}
	var err error
	if w.Source, err = source.Open(o); err != nil {
		return err
	}
	if w.Commit, err = w.Source.Commit(w.Commit.Hash); err == nil && w.Uncommitted {
		w.Commit.Short = "the working tree"
	}
	w.Dir = path.Clean("/" + w.Dir)[1:]
	return err
}

// gitClient runs git in a folder.
type gitClient struct {
	ctx  context.Context
	dir  string
	tmp  string
	repo string // of a folder that is in no repository
	// apart: the index and new objects lie in tmp.
	apart bool
}

func (g *gitClient) index() string   { return filepath.Join(g.tmp, "index") }
func (g *gitClient) objects() string { return filepath.Join(g.tmp, "objects") }

// gitError is a git that failed, with its own text.
type gitError struct{ command, text string }

func (e *gitError) Error() string { return fmt.Sprintf("git %s failed: %s", e.command, e.text) }

// hookVariables are those by which git tells a hook of its repository. They would mean
// another one than the folder's.
var hookVariables = []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	"GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_QUARANTINE_PATH"}

// path returns a path of git's, which may be relative to the folder.
func (g *gitClient) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(g.dir, name)
}

// run runs git and returns its output without the last line end.
func (g *gitClient) run(args ...string) (string, error) {
	words := []string{"-C", g.dir, "-c", "core.fsmonitor=false", "-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false"}
	if g.repo != "" {
		words = append(words, "--git-dir="+g.repo, "--work-tree=.")
	}
	cmd := exec.CommandContext(g.ctx, "git", append(words, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(hookVariables, name)
	})
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_AUTHOR_NAME=dokku", "GIT_COMMITTER_NAME=dokku",
		"GIT_AUTHOR_EMAIL="+remote.CommitterEmail, "GIT_COMMITTER_EMAIL="+remote.CommitterEmail)
	if g.apart {
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+g.index(), "GIT_OBJECT_DIRECTORY="+g.objects())
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return strings.TrimSuffix(out.String(), "\n"), nil
	case g.ctx.Err() != nil:
		return "", context.Cause(g.ctx)
	case errors.As(err, &ended):
		return "", &gitError{args[0], strings.TrimSpace(errs.String())}
	}
	return "", fmt.Errorf("cannot run git, which reads the files: %w", err)
}
