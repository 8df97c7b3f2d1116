package e2e

import (
	"flag"
	"fmt"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
)

var (
	loadRounds = flag.Int("load.rounds", 10, "how many deploys TestNoRequestIsLost makes, with half as many that are rejected,\n"+
		"half as many ps:scale, a fifth as many of releases:rollback, config:set, detached and cancelled pushes, and four times as many certs:update")
	loadRate = flag.Int("load.rate", 250, "how many requests a second TestNoRequestIsLost sends: half of them with a whole TLS handshake,\n"+
		"for which two cores do the work of the client, too")
)

// TestNoRequestIsLost: requests of all kinds, to two apps at once, lose nothing while versions are
// pushed, detached, cancelled, rejected and rolled back, processes come and go, and the config and the certificates change. No
// answer comes from another app, from a rejected version, or from a replaced one. See
// testdata/load for the requests.
//
// Half of them use TLS, with a whole handshake for each new connection. Every handshake
// gets a certificate for the app's name, never one that was replaced; a connection stays
// open when its certificate is.
//
// Every version needs a moment after it has begun to listen, and ends at once when told
// to. Requests are running at every moment, some for seconds. The test therefore fails
// without the gate (o.gate in rollout.startRounds: 503, and bad versions are accepted) and without
// the wait to retire (waitToRetire 0: 502 for running requests, and websockets that end
// early). Without nginx's proof (Proxy.prove), a certificate is seen after it was replaced.
func TestNoRequestIsLost(t *testing.T) {
	l := lab.New(t, map[string]any{"checks": map[string]string{"default-wait": "1", "wait-to-retire": fmt.Sprint(load.Retire.Seconds())}})
	l.StartAgent()
	issuer := load.NewIssuer(t)
	var apps []*load.App
	for range 2 {
		apps = append(apps, load.NewApp(l, issuer))
	}
	rounds := *loadRounds
	running := load.Generate(l, *loadRate, apps, issuer)
	// A group of its own: it ends when both apps' rounds have.
	t.Run("operations", func(t *testing.T) {
		for n, a := range apps {
			t.Run(fmt.Sprint("app ", n+1), func(t *testing.T) {
				t.Parallel()
				a := a.With(t)
				for round := range rounds {
					if round/2%len(apps) == n {
						a.Round(round)
					}
				}
			})
		}
	})
	for _, a := range apps {
		a.With(t).App.Rests() // retiring processes are stopped under load, too
	}
	report := running.Stop()
	report.Print(t)
	report.Check(t, *loadRate, apps)
	done := map[string]int{}
	for _, a := range apps {
		a.App.Serves(a.App.Tip("main"))
		for what, n := range a.Done {
			done[what] += n
		}
	}
	t.Logf("operations: %v", done)
	for what, want := range map[string]int{"deploys": rounds, "rejected": rounds / 2, "scalings": rounds / 2, "configs": rounds / 5, "rollbacks": rounds / 5,
		"detached": rounds / 5, "cancelled": rounds / 5,
		"certs:update": load.Replacements * rounds} {
		if done[what] != want {
			t.Errorf("%d %s were made, want %d", done[what], what, want)
		}
	}
}
