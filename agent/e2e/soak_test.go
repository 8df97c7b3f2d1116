package e2e

import (
	"flag"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
)

var soakDeploys = flag.Int("soak.deploys", 6, "how many deploys TestNothingGrows makes, of at most five apps")

// TestNothingGrows: deploys, one in five of them followed by a rejected one, leave nothing behind
// but the kept releases with their images, the kept logs, and the pushed objects in git.
//
// It fails if releases stay (executor.sweepReleases).
func TestNothingGrows(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"keep_releases": load.Kept})
	l.StartAgent()
	var apps []*load.Soaked
	for range max(2, min(5, *soakDeploys/10)) {
		apps = append(apps, load.NewSoaked(l))
	}
	// As many as are kept, and one more that takes the place of the first.
	load.Each(t, apps, func(a *load.Soaked) {
		for range load.Kept + 1 {
			a.Deploy()
		}
		a.Reject()
		a.App.Rests()
	})
	before := load.AtRest(l, apps)
	begun, cache := time.Now(), load.BuildCache(l, *soakDeploys >= 100)
	for _, a := range apps {
		a.Deploys, a.Rejects = 0, 0
	}
	load.Each(t, apps, func(a *load.Soaked) {
		for n := range (*soakDeploys + len(apps) - 1) / len(apps) {
			a.Deploy()
			if n%5 == 4 {
				a.Reject()
			}
		}
		a.App.Rests()
	})
	after := load.Grown(l, apps, before)
	total := 0
	for _, a := range apps {
		total += a.Deploys
		a.App.Serves(a.App.Tip("main"))
	}
	t.Logf("%d deploys of %d apps took %s; build cache before: %s, after: %s", total, len(apps),
		time.Since(begun).Round(time.Second), cache, load.BuildCache(l, *soakDeploys >= 100))
	t.Logf("measured before and after:\n%s", load.Compared(before, after))
	if total < *soakDeploys {
		t.Errorf("%d deploys were made, want %d", total, *soakDeploys)
	}
}
