package repo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Revision is a commit of a bare repository, and where its objects are: those of a push
// are not in the repository yet.
type Revision struct {
	Dir        string // the repository
	Objects    string // GIT_OBJECT_DIRECTORY, as git gives it to a hook; "": the repository's
	Alternates string // GIT_ALTERNATE_OBJECT_DIRECTORIES
	Commit     string // its full id
	Branch     string // the branch that it is the tip of, without refs/heads/
	// Shallow are the commits at which its history ends.
	Shallow []string
}

// gitConfig is the configuration of a .git folder. Nothing of the server's is in it.
const gitConfig = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"

// WriteGitDir makes to, which must not exist, the .git folder of a work tree in which the
// revision is checked out: its history and that of the repository's tags in one pack, the
// branch, the tags, and an index. It writes nothing to the repository.
func WriteGitDir(ctx context.Context, to string, r Revision) error {
	for _, dir := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(to, dir), 0o700); err != nil {
			return err
		}
	}
	tags, err := r.git(ctx, nil, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags")
	if err != nil {
		return err
	}
	refs := fmt.Sprintf("%s refs/heads/%s\n%s", r.Commit, r.Branch, tags)
	files := map[string]string{"HEAD": "ref: refs/heads/" + r.Branch + "\n", "config": gitConfig, "packed-refs": refs}
	if len(r.Shallow) > 0 {
		files["shallow"] = strings.Join(r.Shallow, "\n") + "\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	var tips strings.Builder
	for line := range strings.Lines(refs) {
		id, _, _ := strings.Cut(line, " ")
		tips.WriteString(id + "\n")
	}
	// One thread: equal histories make equal packs.
	if _, err := r.gitShallow(ctx, to, []byte(tips.String()), "pack-objects", "--revs", "--delta-base-offset", "--threads=1", "--quiet",
		filepath.Join(to, "objects/pack/pack")); err != nil {
		return err
	}
	own := Revision{Dir: to}
	_, err = own.git(ctx, nil, "read-tree", r.Commit)
	return err
}

func (r Revision) gitShallow(ctx context.Context, to string, stdin []byte, args ...string) (string, error) {
	if len(r.Shallow) == 0 {
		return r.git(ctx, stdin, args...)
	}
	return r.git(ctx, stdin, append([]string{"--shallow-file", filepath.Join(to, "shallow")}, args...)...)
}

// git runs git in the repository, with the variables of r in the place of those that a hook has.
func (r Revision) git(ctx context.Context, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=" + r.Dir}, args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C", NoReplace)
	if r.Objects != "" {
		cmd.Env = append(cmd.Env, "GIT_OBJECT_DIRECTORY="+r.Objects)
	}
	if r.Alternates != "" {
		cmd.Env = append(cmd.Env, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+r.Alternates)
	}
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &problem
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(problem.String()), "\n")
		return "", fmt.Errorf("git: %s (%w)", first, err)
	}
	return out.String(), nil
}
