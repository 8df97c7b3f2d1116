package sources

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/event"
)

// A bench is a server with the app hello. What would be pushed goes into the app's
// repository at once, by git itself.
type bench struct {
	t      *testing.T
	server *agent.Server
	pushed []Push
	// log has what the commands print.
	log     event.Log
	printed *strings.Builder
	term    *event.Terminal
}

func newBench(t *testing.T) *bench {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	must(t, os.MkdirAll(filepath.Join(root, ".dokku"), 0o700))
	s, err := agent.Open(root)
	must(t, err)
	must(t, s.Create(t.Context(), "hello", false))
	b := &bench{t: t, server: s, printed: &strings.Builder{}}
	b.term = event.NewTerminal(b.printed, b.printed, false)
	b.log = event.New(b.term)
	t.Cleanup(b.term.Close)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// importer pushes without hooks: this binary is not the program.
func (b *bench) importer() *Importer {
	return &Importer{Server: b.server, Send: func(ctx context.Context, p Push) error {
		b.pushed = append(b.pushed, p)
		b.git("-C", p.Repo, "push", "-q", "--force", "--receive-pack=git -c core.hooksPath=/dev/null receive-pack",
			b.server.Env.Store.Dir(p.App), p.Refs[0].New+":"+p.Refs[0].Name)
		return nil
	}}
}

// git runs git and returns its trimmed output.
func (b *bench) git(args ...string) string {
	b.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// repo runs git in the app's repository.
func (b *bench) repo(args ...string) string {
	b.t.Helper()
	return b.git(append([]string{"--git-dir=" + b.server.Env.Store.Dir("hello")}, args...)...)
}

// files lists the mode and path of each file of master.
func (b *bench) files() string {
	b.t.Helper()
	var lines []string
	for line := range strings.Lines(b.repo("ls-tree", "-r", "master")) {
		mode, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, path, _ := strings.Cut(rest, "\t")
		lines = append(lines, mode+" "+path)
	}
	return strings.Join(lines, "\n")
}

// untouched fails if a refused command has left something: a ref, an object, a folder.
func (b *bench) untouched() {
	b.t.Helper()
	if refs := b.repo("for-each-ref"); refs != "" || len(b.pushed) > 0 {
		b.t.Errorf("refs %q, pushes %v", refs, b.pushed)
	}
	if n := b.repo("count-objects"); n != "0 objects, 0 kilobytes" {
		b.t.Errorf("the repository has %s", n)
	}
	b.tidy()
}

// tidy fails if a folder of a command is left.
func (b *bench) tidy() {
	b.t.Helper()
	if left, err := filepath.Glob(b.server.Env.Store.Own("source-*")); left != nil || err != nil {
		b.t.Errorf("%v are left, %v", left, err)
	}
}

// limit sets the server's limits of archives.
func (b *bench) limit(name, value string) {
	b.t.Helper()
	must(b.t, b.server.Env.Store.UpdateSettings(b.t.Context(), func(set *app.Settings) error {
		set.Git = app.Merged(set.Git, map[string]string{name: value})
		return nil
	}))
}
