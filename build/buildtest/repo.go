package buildtest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Repo is a bare repository that the tests write objects to.
type Repo struct {
	T   testing.TB
	Dir string
}

// NewRepo makes an empty repository.
func NewRepo(t testing.TB) Repo { return NewRepoAt(t, filepath.Join(t.TempDir(), "repo.git")) }

// NewRepoAt makes an empty repository at dir.
func NewRepoAt(t testing.TB, dir string) Repo {
	t.Helper()
	r := At(t, dir)
	r.run(t.TempDir(), nil, "init", "-q", "--bare", "-b", "main", dir)
	return r
}

// At is the repository that is at dir.
func At(t testing.TB, dir string) Repo { return Repo{t, dir} }

// run runs git and returns its output, without the final newline.
func (r Repo) run(dir string, stdin []byte, args ...string) string {
	r.T.Helper()
	out, err := r.Try(dir, stdin, nil, args...)
	if err != nil {
		r.T.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

// Try runs git in dir and returns its output.
func (r Repo) Try(dir string, stdin []byte, env []string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+r.T.TempDir(),
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com"), env...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// Git runs git in the repository and returns its output.
func (r Repo) Git(args ...string) string {
	r.T.Helper()
	return r.run(r.Dir, nil, args...)
}

// Files are paths and contents; a path may start with a mode and a space.
type Files map[string]string

// Commit adds a commit to main: parent's files (if parent is not "") with
// those of f; an empty content removes a file.
func (r Repo) Commit(parent string, f Files) string {
	r.T.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "commit refs/heads/main\ncommitter C <c@example.com> 1700000000 +0000\ndata 7\nmessage\n")
	if parent != "" {
		fmt.Fprintf(&b, "from %s\n", parent)
	}
	for _, path := range slices.Sorted(maps.Keys(f)) {
		mode, name, ok := strings.Cut(path, " ")
		if !ok || len(mode) != 6 || mode[0] != '1' {
			mode, name = "100644", path
		}
		if f[path] == "" {
			fmt.Fprintf(&b, "D %q\n", name)
			continue
		}
		fmt.Fprintf(&b, "M %s inline %q\ndata %d\n%s\n", mode, name, len(f[path]), f[path])
	}
	r.run(r.Dir, b.Bytes(), "fast-import", "--quiet", "--force")
	return r.Git("rev-parse", "main")
}

// Object writes an object of any content, sensible or not.
func (r Repo) Object(kind string, content []byte) string {
	r.T.Helper()
	return r.run(r.Dir, content, "hash-object", "-t", kind, "-w", "--literally", "--stdin")
}

// CommitTree writes a commit of a tree and returns its id.
func (r Repo) CommitTree(tree string) string {
	r.T.Helper()
	return r.Git("commit-tree", "-m", "message", tree)
}

// ManyFiles are n files of size bytes that do not compress, in 100 folders.
func ManyFiles(n, size int) Files {
	f := Files{"Dockerfile": "FROM scratch\nCOPY . /app/\n"}
	state := uint64(88172645463325252)
	for i := range n {
		b := make([]byte, size)
		for j := range b {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			b[j] = byte(state)
		}
		f[fmt.Sprintf("d%02d/s%d/f%05d", i%50, i%2, i)] = string(b)
	}
	return f
}
