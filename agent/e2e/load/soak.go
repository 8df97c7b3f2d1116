package load

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
)

// Kept is how many releases the test's server keeps.
const Kept = 2

// A Soaked app counts its deploys.
type Soaked struct {
	App              *lab.App
	Deploys, Rejects int
	layer            string // of all its images and of no other lab's
}

// NewSoaked deploys an app whose images can be told from those of other labs.
func NewSoaked(l *lab.Lab) *Soaked {
	l.T.Helper()
	a := l.App(lab.Files{"lab.txt": l.Root, "Dockerfile": "FROM " + l.Tools.Base +
		"\nCOPY lab.txt /lab.txt\nCOPY . /app/\nEXPOSE 5000\nCMD [\"/server\"]\n"})
	a.Push(nil)
	info, err := l.Tools.Docker.ImageInspect(l.T.Context(), a.Image("web.1"))
	lab.Must(l.T, err)
	return &Soaked{App: a, layer: info.RootFS.Layers[1]}
}

// Each runs do for all apps at the same time, each in a subtest.
func Each(t *testing.T, apps []*Soaked, do func(*Soaked)) {
	t.Helper()
	t.Run("apps", func(t *testing.T) {
		for n, a := range apps {
			t.Run(fmt.Sprint(n+1), func(t *testing.T) {
				t.Parallel()
				a.App = a.App.With(t)
				do(a)
			})
		}
	})
	for _, a := range apps {
		a.App = a.App.With(t)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// Deploy pushes a new version.
func (a *Soaked) Deploy() {
	a.App.Lab.T.Helper()
	a.App.Push(lab.Files{"version": a.App.Lab.T.Name() + fmt.Sprint(a.Deploys)})
	a.Deploys++
}

// Reject pushes a version that does not start, and takes the commit back.
func (a *Soaked) Reject() {
	a.App.Lab.T.Helper()
	a.App.Commit(lab.Files{"Procfile": "web: /server -exit=1\n"})
	lab.Contains(a.App.Lab.T, a.App.Pushing().Fails(), "exit code 1")
	a.App.Git("reset", "-q", "--hard", "HEAD~1")
	a.Rejects++
}

// AtRest measures until two measurements agree.
func AtRest(l *lab.Lab, apps []*Soaked) amounts {
	l.T.Helper()
	last := measure(l, apps)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	lab.WaitFor(l.T, "nothing changes any more", func() bool {
		<-tick.C
		now := measure(l, apps)
		same := maps.EqualFunc(last, now, func(x, y amount) bool { return x.value == y.value || x.slack > 0 })
		last = now
		return same
	})
	return last
}

// Grown measures until no amount has grown more than allowed. After lab.Patience it fails
// the test and names the amounts.
func Grown(l *lab.Lab, apps []*Soaked, before amounts) amounts {
	l.T.Helper()
	late := time.After(lab.Patience)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		after := measure(l, apps)
		err := after.exceed(before)
		if err == nil {
			return after
		}
		select {
		case <-late:
			l.T.Errorf("%s", err)
			return after
		case <-tick.C:
		}
	}
}
