package machine

import (
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// TestRebuildOfAnotherBranch: after another deploy branch was set, a rebuild builds that
// branch, and is refused while nothing was pushed to it. What is deployed serves on.
func TestRebuildOfAnotherBranch(t *testing.T) {
	f := newFresh(t, false)
	f.pushed(freshFiles)
	err := f.m.server.Update(t.Context(), "fresh", deploy.Op{Name: "git:set"}, event.Log{}, func(st *app.State) error {
		st.DeployBranch = "next"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = f.m.server.Rebuild(t.Context(), "fresh", event.Log{})
	if want := "Cannot build from 'next' as there are no commits stored at that branch. Push it, or set "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if got := f.app().State.Current; got != 1 {
		t.Errorf("v%d is current", got)
	}
	git(t, f.m.server.Env.Store.Dir("fresh"), "update-ref", "refs/heads/next", git(t, f.dir, "rev-parse", "HEAD"))
	if err := f.m.server.Rebuild(t.Context(), "fresh", event.Log{}); err != nil || f.app().State.Current != 2 {
		t.Errorf("a rebuild of next: %v, %+v", err, f.app().State)
	}
}
