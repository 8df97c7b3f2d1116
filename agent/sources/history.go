package sources

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/build/source"
)

// History is a branch of an app of another server.
type History struct {
	// Tar is the file of a tar of the app's bare repository: objects, and shallow.
	Tar    string
	Branch string
	Commit string
	From   string // that server and the repository, for people
	// Deploy deploys the commit, or only moves the branch.
	Deploy bool
}

// Relation says how the branch of an app here is related to a History.
type Relation int

const (
	// Behind: the app here has nothing, or an earlier commit of the history.
	Behind Relation = iota
	// Same: the branch is at the commit.
	Same
	// Ahead: the commit is a part of the branch, which has more.
	Ahead
)

// OtherHistoryError is the error for an app whose branch is no part of the history.
type OtherHistoryError struct {
	App, Branch, Tip, From string
}

func (e *OtherHistoryError) Error() string {
	return fmt.Sprintf("App %s exists here with another history: its branch %s is at %.7s, which %s does not have. "+
		"Rename it (dokku apps:rename %[1]s NEW-NAME) or destroy it (dokku apps:destroy %[1]s), then import again", e.App, e.Branch, e.Tip, e.From)
}

// Compare says how an app's branch is related to a history, and changes nothing. The error is
// an *OtherHistoryError if it is not.
func (i *Importer) Compare(name string, h History) (Relation, error) {
	t, err := i.look(name, h.Branch)
	if err != nil || t.tip == "" || t.tip == h.Commit {
		return relationOf(t, h), err
	}
	dir, done, err := i.unpacked(t, h)
	if err != nil {
		return 0, err
	}
	defer done()
	return i.compare(t, dir, h)
}

func relationOf(t target, h History) Relation {
	if t.tip == h.Commit {
		return Same
	}
	return Behind
}

func (i *Importer) compare(t target, dir string, h History) (Relation, error) {
	if t.tip == "" || t.tip == h.Commit {
		return relationOf(t, h), nil
	}
	src, err := source.Open(source.Options{GitDir: dir})
	if err != nil {
		return 0, err
	}
	defer src.Close()
	if behind, err := src.IsAncestor(t.tip, h.Commit); err != nil || behind {
		return Behind, err
	}
	if ahead, err := src.IsAncestor(h.Commit, t.tip); err != nil || ahead {
		return Ahead, err
	}
	return 0, &OtherHistoryError{App: t.app.Name, Branch: t.branch, Tip: t.tip, From: h.From}
}

// Bring moves an app's deploy branch to the commit of a history, and deploys it. It deploys
// what an earlier run brought and did not deploy.
func (i *Importer) Bring(ctx context.Context, name string, h History, log event.Log) error {
	t, err := i.target(name, h.Branch)
	if err != nil {
		return err
	}
	o := deploy.Origin{Command: "import", SkipDeploy: !h.Deploy, Source: app.Source{Kind: app.SourceImport, From: h.From}}
	if t.tip == h.Commit {
		return i.brought(ctx, t, h, o, log)
	}
	if err := i.Server.Env.CheckSpace("import", log); err != nil {
		return err
	}
	dir, done, err := i.unpacked(t, h)
	if err != nil {
		return err
	}
	defer done()
	relation, err := i.compare(t, dir, h)
	if err != nil || relation == Ahead {
		return err
	}
	return i.push(ctx, t, dir, h.Commit, o)
}

// brought finishes what an earlier run began: the branch is at the commit.
func (i *Importer) brought(ctx context.Context, t target, h History, o deploy.Origin, log event.Log) error {
	revision, err := deploy.Undeployed(t.app)
	if err == nil && h.Deploy && revision != "" && t.app.Current == nil {
		return i.Server.Rebuild(ctx, t.app.Name, log)
	}
	if err == nil && t.adopt != "" {
		return i.note(ctx, t, h.Commit, o)
	}
	return err
}

// unpacked makes a repository of the history that borrows the app's objects.
func (i *Importer) unpacked(t target, h History) (dir string, done func(), err error) {
	dir, done, err = i.staging(t)
	if err != nil {
		return "", nil, err
	}
	if err = unpack(h.Tar, dir, t.app.Dir); err != nil {
		done()
		return "", nil, fmt.Errorf("cannot read the repository of %s: %w", t.app.Name, err)
	}
	if _, err = treeOf(dir, h.Commit); err != nil {
		done()
		return "", nil, fmt.Errorf("cannot read the repository of %s: %s has no commit %.7s; run the import again", t.app.Name, h.From, h.Commit)
	}
	return dir, done, nil
}

// objectFile matches the files of a repository's objects. Indexes of several packs, caches
// and lists of other repositories are not taken.
var objectFile = regexp.MustCompile(`^objects/(pack/pack-[0-9a-f]+\.(pack|idx|rev)|[0-9a-f]{2}/[0-9a-f]{38})$`)

// unpack writes the objects of a tar into a repository. No name of the tar but those of
// objects becomes a path. The boundaries of both histories come together.
func unpack(file, dir, borrowed string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	boundary, err := os.ReadFile(filepath.Join(borrowed, "shallow"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for t := tar.NewReader(f); ; {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("what came of it is no whole tar: %w", err)
		}
		name := filepath.Clean(header.Name)
		switch {
		case header.Typeflag != tar.TypeReg:
		case name == "shallow":
			text, err := io.ReadAll(io.LimitReader(t, maxBoundary))
			if err != nil {
				return err
			}
			boundary = append(boundary, text...)
		case objectFile.MatchString(name):
			if err := writeObject(filepath.Join(dir, name), t); err != nil {
				return err
			}
		}
	}
	if len(boundary) == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, "shallow"), boundary, 0o600)
}

// maxBoundary bounds git's list of the commits at which a history ends, in bytes.
const maxBoundary = 16 << 20

func writeObject(path string, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return cmp.Or(err, f.Close())
}
