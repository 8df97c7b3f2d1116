package command_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"dokku/agent/app"
	"dokku/agent/vault/vaulttest"
)

// TestScripts runs the scripts that need neither Docker nor nginx against the
// built program, each with a DOKKU_ROOT of its own. Package main has end-to-end
// tests with a TestMain of their own, so the program is built here.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "dokku"), "dokku")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build dokku: %s\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Setup: func(e *testscript.Env) error {
			root := filepath.Join(e.WorkDir, "root")
			e.Setenv("DOKKU_ROOT", root)
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			// The author of commits in scripts.
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			e.Setenv("GIT_CONFIG_COUNT", "2")
			for n, pair := range [][2]string{{"user.name", "a"}, {"user.email", "a@example.com"}} {
				e.Setenv("GIT_CONFIG_KEY_"+strconv.Itoa(n), pair[0])
				e.Setenv("GIT_CONFIG_VALUE_"+strconv.Itoa(n), pair[1])
			}
			// An engine that cannot be reached: no script may need one.
			return writeJSON(filepath.Join(root, ".dokku", "server.json"),
				app.Settings{Version: 1, Docker: "unix:///nowhere.sock", Domains: []string{"example.com"}})
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"deployed": deployed, "exits": exits, "record": record, "s3": s3, "terminal": terminal},
	})
}

// deployed [-stopped] APP [FILE...] makes the app's first release, whose
// repository ships the files.
func deployed(ts *testscript.TestScript, neg bool, args []string) {
	var st app.State
	if len(args) > 0 && args[0] == "-stopped" {
		st.Stopped, args = true, args[1:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: deployed [-stopped] APP [FILE...]")
	}
	dir := filepath.Join(ts.Getenv("DOKKU_ROOT"), args[0], "dokku")
	r := app.Release{Version: 1, Number: 1, Attempt: "a1", Revision: "3f2c1d9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		Image: "sha256:" + strings.Repeat("0", 64), Port: 5000, Cause: "push", RunsCron: true, Files: map[string]string{}}
	for _, name := range args[1:] {
		r.Files[filepath.Base(name)] = ts.ReadFile(name)
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(dir, "state.json"))), &st))
	st.Current = 1
	ts.Check(writeJSON(filepath.Join(dir, "releases", "1.json"), r))
	ts.Check(writeJSON(filepath.Join(dir, "state.json"), st))
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	return errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600))
}

// s3 starts a server of S3, whose URL is then in $S3.
func s3(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: s3")
	}
	url, end, err := vaulttest.S3(nil)
	ts.Check(err)
	ts.Defer(end)
	ts.Setenv("S3", url)
}

// record APP N makes the records of deploys 1 to N of the app, all of which succeeded.
func record(ts *testscript.TestScript, neg bool, args []string) {
	n := 0
	if len(args) == 2 {
		n, _ = strconv.Atoi(args[1])
	}
	if neg || n == 0 {
		ts.Fatalf("usage: record APP N")
	}
	dir := filepath.Join(ts.Getenv("DOKKU_ROOT"), args[0], "dokku", "deploys")
	for i := 1; i <= n; i++ {
		ts.Check(writeJSON(filepath.Join(dir, strconv.Itoa(i)+".json"), app.Deploy{Version: 1, Number: i, Cause: "push",
			Began: time.Unix(int64(i), 0), Ended: time.Unix(int64(i)+1, 0), State: app.DeployDone}))
		ts.Check(os.WriteFile(filepath.Join(dir, strconv.Itoa(i)+".log"), []byte("-----> Building\n"), 0o600))
	}
}

// exits CODE COMMAND... runs a command that has to end with this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		code = ended.ExitCode()
	case err != nil:
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%v ends with %d, want %s", args[1:], code, args[0])
	}
}
