package buildtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// outEnv is where a hook writes its report.
const outEnv = "DOKKU_BUILD_TEST_OUT"

// Pushed is a hook's report of any push.
type Pushed struct {
	RSS    int64  // the hook's peak memory, in bytes
	Failed string // why it rejected the push
}

// Main runs the tests, or hook where git has called the test binary as a
// pre-receive hook. hook gets the pushed revision; it returns a report, and an
// error to reject the push.
func Main(m *testing.M, hook func(revision string) (report any, err error)) {
	if filepath.Base(os.Args[0]) != "pre-receive" {
		os.Exit(m.Run())
	}
	var old, revision, ref string
	_, err := fmt.Scan(&old, &revision, &ref)
	var report any
	if err == nil {
		report, err = hook(revision)
	}
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	p := Pushed{RSS: usage.Maxrss << 10}
	if err != nil {
		p.Failed = err.Error()
		fmt.Fprintln(os.Stderr, " !    ", err)
	}
	data, encoding := json.Marshal([]any{p, report})
	if encoding != nil || os.WriteFile(os.Getenv(outEnv), data, 0o600) != nil || err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// Hook makes the test binary the repository's pre-receive hook.
func (r Repo) Hook() {
	r.T.Helper()
	self, err := os.Executable()
	if err == nil {
		err = os.MkdirAll(filepath.Join(r.Dir, "hooks"), 0o755)
	}
	if err == nil {
		err = os.Symlink(self, filepath.Join(r.Dir, "hooks", "pre-receive"))
	}
	if err != nil {
		r.T.Fatal(err)
	}
}

// Push pushes main of r to a repository that has the hook, which gets env too, and
// fills report with the hook's report.
func (r Repo) Push(to Repo, report any, env ...string) (p Pushed) {
	r.T.Helper()
	out := filepath.Join(r.T.TempDir(), "out")
	text, err := r.Try(r.Dir, nil, append(env, outEnv+"="+out), "push", "-q", "--force", "file://"+to.Dir, "main")
	data, unread := os.ReadFile(out)
	if unread != nil || json.Unmarshal(data, &[]any{&p, report}) != nil {
		r.T.Fatalf("the hook did not report: %v\n%s", err, text)
	}
	if (err != nil) != (p.Failed != "") {
		r.T.Fatalf("push: %v, but the hook said %q\n%s", err, p.Failed, text)
	}
	return p
}
