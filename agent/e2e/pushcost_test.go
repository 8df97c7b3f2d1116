package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/e2e/lab"
	"dokku/build/buildtest"
	"dokku/build/daemon"
)

var (
	costPairs  = flag.Int("cost.pairs", 0, "how many pairs of pushes TestPushCost and TestNeighbour measure; 0: they measure one, and compare nothing")
	costBefore = flag.String("cost.before", "", "an earlier build of the program with which TestPushCost compares; without it, with this one")
)

// took measures a push of a change.
func took(a *lab.App, n int) time.Duration {
	began := time.Now()
	a.Push(lab.Files{"more": fmt.Sprint(n, "\n")})
	return time.Since(began)
}

func middle(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ratio is how much more the second ones took in the middle, pair by pair.
func ratio(first, second []time.Duration) float64 {
	var all []float64
	for i := range first {
		all = append(all, float64(second[i])/float64(first[i]))
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// TestPushCost: a push whose builds the engine makes takes at most a tenth longer than with an earlier
// version. Both push in turn.
func TestPushCost(t *testing.T) {
	tools, err := lab.Shared()
	lab.Must(t, err)
	earlier := *tools
	if *costBefore != "" {
		earlier.Binary = *costBefore
	}
	before := lab.NewOf(t, &earlier, nil).Deployed(nil)
	now := lab.New(t, nil).Deployed(nil)
	var old, new []time.Duration
	for n := range max(*costPairs, 1) {
		pair := []func(){func() { old = append(old, took(before, n)) }, func() { new = append(new, took(now, n)) }}
		if n%2 == 1 {
			slices.Reverse(pair)
		}
		for _, push := range pair {
			push()
		}
	}
	t.Logf("%d pairs: the earlier version takes %s in the middle, this one %s, and pair by pair %.3f times as long", len(old), middle(old), middle(new), ratio(old, new))
	if most := 1.1; *costPairs > 0 && ratio(old, new) > most {
		t.Errorf("a push takes %.3f times as long, more than %.1f", ratio(old, new), most)
	}
}

// TestNeighbour: while another app's build uses all that a build gets, a push takes at most a fifth
// longer than at rest. Two pushes at rest beside it say how far one alone differs from another.
func TestNeighbour(t *testing.T) {
	for _, isolation := range []string{app.IsolationOwn, app.IsolationEngine} {
		t.Run(isolation, func(t *testing.T) {
			d := buildtest.NewDaemon(t, func(s *daemon.Settings) {
				limits, err := (app.Settings{}).BuilderLimits(4<<30, 100<<30, 2)
				lab.Must(t, err)
				s.CPUs, s.Memory, s.Processes = limits.CPUs, limits.Memory, limits.Processes
			})
			l := lab.New(t, map[string]any{"builder": d.Socket, "build": map[string]string{"build-isolation": isolation}})
			a, b := neighbour(t, l), neighbour(t, l)
			var first, second, beside []time.Duration
			for n := range max(*costPairs, 1) {
				first = append(first, took(a, 3*n))
				second = append(second, took(a, 3*n+1))
				b.Commit(lab.Files{"busy": fmt.Sprint(n)})
				push := b.Pushing()
				push.Prints("| busy")
				beside = append(beside, took(a, 3*n+2))
				l.Dokku("deploys:cancel", b.Name)
				push.Fails()
			}
			t.Logf("%d pairs, build-isolation %s: %s at rest, %.3f times as long again at rest, %.3f times beside a build (%s)",
				len(first), isolation, middle(first), ratio(first, second), ratio(first, beside), middle(beside))
			if most := 1.2; *costPairs > 0 && isolation == app.IsolationOwn && ratio(first, beside) > most {
				t.Errorf("beside another app's build, a push takes %.3f times as long, more than %.1f", ratio(first, beside), most)
			}
		})
	}
}

// neighbour is an app whose build is without an end as soon as it has a file busy.
func neighbour(t *testing.T, l *lab.Lab) *lab.App {
	server, err := os.ReadFile(filepath.Join(l.Tools.Dir, "server"))
	lab.Must(t, err)
	busybox, err := os.ReadFile("/bin/busybox")
	lab.Must(t, err)
	dockerfile := strings.Join([]string{"FROM scratch", "COPY --chmod=755 server /server", "COPY --chmod=755 sh /bin/sh", "COPY . /app/",
		"RUN test ! -e /app/busy || { echo busy; for i in 1 2 3 4; do while :; do :; done & done; wait; }", "EXPOSE 5000", `CMD ["/server"]`, ""}, "\n")
	a := l.App(lab.Files{"Dockerfile": dockerfile, ".dockerignore": "server\n!server\n", "server": string(server), "sh": string(busybox)})
	a.Push(nil)
	return a
}
