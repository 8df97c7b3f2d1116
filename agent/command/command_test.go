package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/keys"
)

// A fixture is a DOKKU_ROOT with apps that were made without Docker:
//
//	fresh    never deployed
//	hello    web and worker, no formation of its own
//	shipped  a DOKKU_SCALE file: web=2 worker=1
//	stopped  deployed and stopped
//	taken    has the domain taken.example.com
type fixture struct {
	t        *testing.T
	root     string
	terminal bool
	colour   bool
	stdin    string
	user     string
	grant    keys.Grant // of user
	remote   string
}

const revision = "3f2c1d9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// master is a root with the apps of a fixture, which tests copy: to create an app
// takes several writes to disk.
var master string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if master, err = os.MkdirTemp("", "command"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(master)
	server, err := agent.Open(master)
	if err != nil {
		panic(err)
	}
	for _, app := range []string{"fresh", "hello", "shipped", "stopped", "taken"} {
		if err := server.Create(context.Background(), app, false); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, root: filepath.Join(t.TempDir(), "root")}
	if err := os.CopyFS(f.root, os.DirFS(master)); err != nil {
		t.Fatal(err)
	}
	procfile := map[string]string{"Procfile": "web: ./server\nworker: ./work\n"}
	f.release("hello", procfile, app.State{Config: map[string]string{"GREETING": "good 'day'", "N": "1"}})
	f.release("stopped", procfile, app.State{Stopped: true})
	f.release("shipped", map[string]string{"Procfile": procfile["Procfile"], "DOKKU_SCALE": "web=2\nworker=1\n"}, app.State{})
	f.state("taken", app.State{Domains: []string{"taken.example.com"}})
	// Nothing here may need Docker.
	f.write(".dokku/server.json", app.Settings{Version: 1, Docker: "unix:///nowhere.sock", Domains: []string{"example.com"},
		StorageRoot: f.storage()})
	return f
}

// storage is the data root; a test that needs one makes it.
func (f *fixture) storage() string { return filepath.Join(filepath.Dir(f.root), "storage") }

func (f *fixture) write(name string, v any) {
	f.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	path := filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) state(app string, st app.State) {
	f.t.Helper()
	st.Version = 1
	f.write(app+"/dokku/state.json", st)
}

func (f *fixture) release(name string, files map[string]string, st app.State) {
	f.t.Helper()
	f.write(name+"/dokku/releases/1.json", app.Release{Version: 1, Number: 1, Attempt: "a1", Revision: revision,
		Image: "sha256:" + strings.Repeat("0", 64), Port: 5000, Files: files, Cause: "push"})
	st.Current = 1
	f.state(name, st)
}

// result is the result of a command line.
type result struct {
	stdout, stderr string
	code           int
}

// access is what the key f.user may do: everything, unless f.grant says what.
func (f *fixture) access() *keys.Access {
	switch {
	case f.user == "":
		return nil
	case f.grant.Role == "":
		return &keys.Access{Key: f.user, Grant: keys.Grant{Role: keys.Admin}}
	}
	return &keys.Access{Key: f.user, Grant: f.grant}
}

func (f *fixture) run(args ...string) result {
	f.t.Helper()
	var out, errs bytes.Buffer
	code := Execute(f.t.Context(), cli.Env{Root: f.root, Stdin: strings.NewReader(f.stdin), Stdout: event.WithColour(&out, f.colour), Stderr: event.WithColour(&errs, f.colour),
		Terminal: f.terminal, Version: "1.2.3", User: f.user, Access: f.access(), Remote: f.remote}, args)
	return result{out.String(), errs.String(), code}
}

// expect runs a command line, given as one string without quotes.
func (f *fixture) expect(line string, want result) {
	f.t.Helper()
	if got := f.run(strings.Fields(line)...); got != want {
		f.t.Errorf("dokku %s\n got %d\n%s%s\nwant %d\n%s%s", line, got.code, got.stdout, got.stderr, want.code, want.stdout, want.stderr)
	}
}

// snapshot has a line for each file below root: name, mode and content.
func (f *fixture) snapshot() string {
	f.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(f.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var data []byte
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			var to string
			to, err = os.Readlink(path)
			data = []byte(to)
		case d.Type().IsRegular():
			data, err = os.ReadFile(path)
		}
		fmt.Fprintf(&b, "%s %s %s %x\n", path, info.Mode(), info.ModTime(), sha256.Sum256(data))
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return b.String()
}
