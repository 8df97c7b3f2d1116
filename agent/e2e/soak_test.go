package e2e

import (
	"flag"
	"testing"
	"time"
)

var soakDeploys = flag.Int("soak.deploys", 6, "how many deploys TestNothingGrows makes, of at most five apps")

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
	begun, cache := time.Now(), l.buildCache(*soakDeploys >= 100)
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
		time.Since(begun).Round(time.Second), cache, l.buildCache(*soakDeploys >= 100))
	t.Logf("measured before and after:\n%s", compared(before, after))
	if total < *soakDeploys {
		t.Errorf("%d deploys were made, want %d", total, *soakDeploys)
	}
}
