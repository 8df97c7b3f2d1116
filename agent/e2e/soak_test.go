package e2e

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

var soakDeploys = flag.Int("soak.deploys", 6, "how many deploys TestNothingGrows makes, of at most five apps")

// soakKept is how many releases the test's server keeps.
const soakKept = 2

// Deploys, one in five of them followed by one that is rejected, leave nothing
// behind but what is kept: so many releases with their images, the logs of so many
// deploys, and in git what was pushed.
//
// It goes red with releases that stay (executor.sweepReleases).
func TestNothingGrows(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]any{"keep_releases": soakKept})
	l.startAgent()
	var apps []*soaked
	for range max(2, min(5, *soakDeploys/10)) {
		apps = append(apps, l.soaked())
	}
	// As many as are kept, and one more that takes the place of the first.
	each(t, apps, func(a *soaked) {
		for range soakKept + 1 {
			a.deploy()
		}
		a.reject()
		a.rests()
	})
	before := l.atRest(apps)
	begun, cache := time.Now(), l.buildCache()
	for _, a := range apps {
		a.deploys, a.rejects = 0, 0
	}
	each(t, apps, func(a *soaked) {
		for n := range (*soakDeploys + len(apps) - 1) / len(apps) {
			a.deploy()
			if n%5 == 4 {
				a.reject()
			}
		}
		a.rests()
	})
	after := l.grown(apps, before)
	total := 0
	for _, a := range apps {
		total += a.deploys
		a.serves(a.tip("main"))
	}
	t.Logf("%d deploys of %d apps took %s; build cache before: %s, after: %s", total, len(apps),
		time.Since(begun).Round(time.Second), cache, l.buildCache())
	t.Logf("measured before and after:\n%s", compared(before, after))
	if total < *soakDeploys {
		t.Errorf("%d deploys were made, want %d", total, *soakDeploys)
	}
}

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

// amounts are what was measured, by name.
type amounts map[string]amount

// An amount may grow by slack, and never above most if that is not 0.
type amount struct{ value, slack, most int }

func (a amounts) exceed(before amounts) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(a)) {
		now := a[name]
		if grew := now.value - before[name].value; grew > now.slack {
			errs = append(errs, fmt.Errorf("%s grew by %d from %d to %d, at most by %d is right",
				name, grew, before[name].value, now.value, now.slack))
		}
		if now.most > 0 && now.value > now.most {
			errs = append(errs, fmt.Errorf("%s: %d, at most %d are kept", name, now.value, now.most))
		}
	}
	return errors.Join(errs...)
}

func compared(before, after amounts) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(after)) {
		fmt.Fprintf(&b, "%-50s %9d %9d\n", name, before[name].value, after[name].value)
	}
	return b.String()
}
