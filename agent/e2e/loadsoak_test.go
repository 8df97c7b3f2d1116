package e2e

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// soakKept is how many releases the test's server keeps.
const soakKept = 2

// A soaked app counts what is done to it.
type soaked struct {
	*app
	deploys, rejects int
	layer            string // of all its images and of no other lab's
}

func (l *lab) soaked() *soaked {
	l.t.Helper()
	a := l.app(files{"lab.txt": l.root, "Dockerfile": "FROM " + l.tools.base +
		"\nCOPY lab.txt /lab.txt\nCOPY . /app/\nEXPOSE 5000\nCMD [\"/server\"]\n"})
	a.push(nil)
	info, err := l.tools.docker.ImageInspect(l.t.Context(), a.image("web.1"))
	must(l.t, err)
	return &soaked{app: a, layer: info.RootFS.Layers[1]}
}

// each does something with all apps at the same time.
func each(t *testing.T, apps []*soaked, do func(*soaked)) {
	t.Helper()
	t.Run("apps", func(t *testing.T) {
		for n, a := range apps {
			t.Run(fmt.Sprint(n+1), func(t *testing.T) {
				t.Parallel()
				a.app = a.with(t)
				do(a)
			})
		}
	})
	for _, a := range apps {
		a.app = a.with(t)
	}
	if t.Failed() {
		t.FailNow()
	}
}

func (a *soaked) deploy() {
	a.t.Helper()
	a.push(files{"version": a.t.Name() + fmt.Sprint(a.deploys)})
	a.deploys++
}

func (a *soaked) reject() {
	a.t.Helper()
	a.commit(files{"Procfile": "web: /server -exit=1\n"})
	contains(a.t, a.pushing().fails(), "exit code 1")
	a.git("reset", "-q", "--hard", "HEAD~1")
	a.rejects++
}

// atRest measures until nothing changes any more.
func (l *lab) atRest(apps []*soaked) amounts {
	l.t.Helper()
	last := l.measure(apps)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	waitFor(l.t, "nothing changes any more", func() bool {
		<-tick.C
		now := l.measure(apps)
		same := maps.EqualFunc(last, now, func(x, y amount) bool { return x.value == y.value || x.slack > 0 })
		last = now
		return same
	})
	return last
}

// grown measures until nothing has grown more than it may; if that takes too long
// it fails the test, naming what has.
func (l *lab) grown(apps []*soaked, before amounts) amounts {
	l.t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		after := l.measure(apps)
		err := after.exceed(before)
		if err == nil {
			return after
		}
		select {
		case <-late:
			l.t.Errorf("%s", err)
			return after
		case <-tick.C:
		}
	}
}
