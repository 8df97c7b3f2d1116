package command

import (
	"strings"
	"testing"

	"dokku/agent/store"
)

// TestReleaseOfPush: what the pusher asked for is shown with the release.
func TestReleaseOfPush(t *testing.T) {
	f := newFixture(t)
	st := &store.Store{Root: f.root}
	r, err := st.Release("hello", 1)
	if err != nil {
		t.Fatal(err)
	}
	r.Subject, r.Message, r.Deploy, r.ChecksSkipped = "Change the form", "Fix the login", 17, true
	if err := st.SaveRelease("hello", r); err != nil {
		t.Fatal(err)
	}
	shown := f.run("releases:show", "hello", "v1").stdout
	for _, want := range []string{
		"       Subject:             Change the form\n", "       Message:             Fix the login\n", "       Deploy:              17\n",
		"       State:               current, checks skipped\n",
		"       Checks:              CHECKS and healthchecks were skipped (git push -o skip-checks)\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is missing in:\n%s", want, shown)
		}
	}
	if list := f.run("releases", "hello").stdout; !strings.Contains(list, "3f2c1d9  Fix the login") || !strings.Contains(list, "current, checks skipped\n") {
		t.Errorf("releases prints:\n%s", list)
	}
	if json := f.run("releases:show", "hello", "v1", "--format", "json").stdout; !strings.Contains(json, `"message":"Fix the login","deploy":17`) ||
		!strings.Contains(json, `"checks_skipped":true`) {
		t.Errorf("json: %s", json)
	}
}

// TestReleasesReport: the server's number of kept releases is reported without an app too.
func TestReleasesReport(t *testing.T) {
	f := newFixture(t)
	f.run("releases:set", "--global", "keep", "3")
	f.run("releases:set", "hello", "keep", "7")
	if got := f.run("releases:report", "--global", "--releases-global-keep").stdout; got != "3\n" {
		t.Errorf("the server keeps %q", got)
	}
	if got := f.run("releases:report", "hello", "--releases-computed-keep").stdout; got != "7\n" {
		t.Errorf("the app keeps %q", got)
	}
}
