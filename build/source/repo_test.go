package source

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"dokku/build/buildtest"
)

func TestMain(m *testing.M) { buildtest.Main(m, receive) }

// pushed is the hook's report to the test.
type pushed struct {
	buildtest.Pushed `json:"-"`

	Commit Commit
	Stats  Stats
	Dirs   []string // object folders that the hook saw
}

// receive is a pre-receive hook that validates.
func receive(revision string) (any, error) {
	var out pushed
	o := OptionsFromEnv(".", os.Getenv)
	var err error
	if out.Dirs, err = objectDirs(o); err != nil {
		return out, err
	}
	s, err := Open(o)
	if err != nil {
		return out, err
	}
	defer s.Close()
	if out.Commit, err = s.Commit(revision); err != nil {
		return out, err
	}
	out.Stats, err = s.Validate(context.Background(), out.Commit, DefaultLimits)
	return out, err
}

// repo is a repository that opens itself as a Source.
type repo struct{ buildtest.Repo }

// files are the files of a commit.
type files = buildtest.Files

func newRepo(t testing.TB) repo { return repo{buildtest.NewRepo(t)} }

// open opens the repository as a rebuild does: without a quarantine.
func (r repo) open() *Source { return openAt(r.T, r.Dir) }

func openAt(t testing.TB, dir string) *Source {
	t.Helper()
	s, err := Open(Options{GitDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// push pushes main of r to a repository that has the hook.
func (r repo) push(to repo) (p pushed) {
	r.T.Helper()
	p.Pushed = r.Push(to.Repo, &p)
	return p
}

// treeEntry is one raw entry of a tree.
type treeEntry struct{ mode, name, id string }

// rawTree writes a tree, sensible or not, and returns its id.
func (r repo) rawTree(entries ...treeEntry) string {
	r.T.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s\x00", e.mode, e.name)
		for i := 0; i < 40; i += 2 {
			v, err := strconv.ParseUint(e.id[i:i+2], 16, 8)
			if err != nil {
				r.T.Fatal(err)
			}
			b.WriteByte(byte(v))
		}
	}
	return r.Object("tree", b.Bytes())
}
