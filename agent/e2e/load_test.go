package e2e

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

var (
	loadRounds = flag.Int("load.rounds", 10, "how many deploys TestNoRequestIsLost makes, with half as many that are rejected,\n"+
		"half as many ps:scale and a fifth as many config:set")
	loadRate = flag.Int("load.rate", 500, "how many requests a second TestNoRequestIsLost sends")
)

const (
	// loadSlow is how long a slow answer takes, and the shorter websockets live: less
	// than an old process is kept, so that none of them may end early.
	loadSlow   = 5 * time.Second
	loadRetire = 7 * time.Second
	loadLong   = 20 * time.Second
)

// A loadedApp is one that things are done to while it is under load.
type loadedApp struct {
	*app
	*history
	config  int
	scales  int
	done    map[string]int // operations, by their kind
	changes []change       // those that replaced or took away processes
}

// A change of an app began and ended then.
type change struct{ begun, ended time.Time }

// refusals are pushes that must be rejected, and what has to be said of them.
var refusals = []struct {
	files files
	says  string
}{
	{files{"CHECKS": "WAIT=1\nATTEMPTS=1\n/ never\n"}, "the answer does not hold \"never\""},
	{files{"Dockerfile": "FROM BASE\nCOPY . /app/\nRUN [\"/server\", \"-exit=7\"]\n"}, "ended with exit code 7"},
	{files{"DOKKU_SCALE": "web: 1\n"}, "web: 1"},
	{files{"Procfile": "web: /server -name=NAME\nworker: /server -port= -exit=4\n"}, "worker.1 exited with code 4"},
}

// Requests of all kinds, to two apps at once, lose nothing while versions are
// pushed and rejected, processes added and taken away and the config is changed,
// and get no answer of another app, nor of a version that was never accepted or
// that has been replaced. See testdata/load for what is sent.
//
// Every version needs a moment after it has begun to listen, and ends at once
// when it is told to; requests are under way at every moment, some for seconds.
// So it goes red with the gate taken out (o.gate in rollout.run: 503, and bad
// versions are accepted) and with the wait to retire taken out (waitToRetire 0: 502
// for what is under way, and websockets that end early).
func TestNoRequestIsLost(t *testing.T) {
	l := newLab(t, map[string]any{"checks": map[string]string{"default-wait": "0.1", "wait-to-retire": fmt.Sprint(loadRetire.Seconds())}})
	l.startAgent()
	var apps []*loadedApp
	for range 2 {
		apps = append(apps, l.loadedApp())
	}
	rounds := *loadRounds
	load := l.load(*loadRate, apps)
	// A group of its own: it ends when both apps' rounds have.
	t.Run("operations", func(t *testing.T) {
		for n, a := range apps {
			t.Run(fmt.Sprint("app ", n+1), func(t *testing.T) {
				t.Parallel()
				a := a.with(t)
				for round := range rounds {
					if round/2%len(apps) == n {
						a.round(round)
					}
				}
			})
		}
	})
	for _, a := range apps {
		a.with(t).rests() // what retires is stopped under load, too
	}
	report := load.stop()
	report.print(t)
	report.check(t, *loadRate, apps)
	done := map[string]int{}
	for _, a := range apps {
		a.serves(a.tip("main"))
		for what, n := range a.done {
			done[what] += n
		}
	}
	t.Logf("operations: %v", done)
	for what, want := range map[string]int{"deploys": rounds, "rejected": rounds / 2, "scalings": rounds / 2, "configs": rounds / 5} {
		if done[what] != want {
			t.Errorf("%d %s were made, want %d", done[what], what, want)
		}
	}
}

// loadedApp deploys an app of two web processes and a worker.
func (l *lab) loadedApp() *loadedApp {
	l.t.Helper()
	a := l.app(files{"CHECKS": "WAIT=5\nATTEMPTS=2\n/\n"})
	a.commit(files{"Procfile": fmt.Sprintf("web: /server -warm-up=200ms -name=%s\nworker: /server -port=\n", a.name)})
	a.push(nil)
	a.dokku("ps:scale", a.name, "web=2", "worker=1")
	a.dokku("config:set", a.name, "GREETING=0")
	h := a.watch()
	h.versions[0].config = "0"
	return &loadedApp{app: a, history: h, done: map[string]int{}}
}

// with returns the app for a subtest, with the same record of what is done.
func (a *loadedApp) with(t *testing.T) *loadedApp {
	a.app = a.app.with(t)
	return a
}

// round is a deploy, a rejected one or a ps:scale, and at times a config:set.
func (a *loadedApp) round(n int) {
	a.t.Helper()
	a.change("deploys", func() {
		contains(a.t, a.push(files{"version": fmt.Sprint(n)}), "Application deployed")
		a.returned(a.app)
	})
	if n%2 == 1 {
		a.refuse(n/2 + n/8)
	} else {
		a.change("scalings", func() {
			a.dokku("ps:scale", a.name, fmt.Sprintf("web=%d", []int{3, 1, 2}[a.scales%3]))
			a.scales++
		})
	}
	if n%5 == 4 {
		a.change("configs", func() {
			a.config++
			a.configured(fmt.Sprint(a.config))
			a.dokku("config:set", a.name, fmt.Sprintf("GREETING=%d", a.config))
			a.returned(a.app)
		})
	}
}

// change does what replaces processes or takes some away.
func (a *loadedApp) change(kind string, do func()) {
	a.t.Helper()
	begun := time.Now()
	do()
	a.changes = append(a.changes, change{begun, time.Now()})
	a.done[kind]++
}

// refuse pushes what has to be rejected.
func (a *loadedApp) refuse(n int) {
	a.t.Helper()
	r := refusals[n%len(refusals)]
	f := files{"version": fmt.Sprint("rejected ", n)}
	for name, text := range r.files {
		f[name] = a.filled(text)
	}
	live := a.tip("main")
	a.commit(f)
	out := a.pushing().fails()
	contains(a.t, out, r.says)
	if tip := a.tip("main"); tip != live {
		a.t.Fatalf("a rejected push moves main:\n%s", out)
	}
	a.git("reset", "-q", "--hard", live)
	a.done["rejected"]++
}

// load starts testdata/load.
func (l *lab) load(rate int, apps []*loadedApp) *load {
	l.t.Helper()
	binary := filepath.Join(l.tools.dir, "load")
	must(l.t, goBuild(binary, "./testdata/load"))
	return l.startLoad(binary, "-rate="+fmt.Sprint(rate), "-port="+fmt.Sprint(l.nginx.Port), "-apps="+names(apps),
		"-slow="+loadSlow.String(), "-short="+loadSlow.String(), "-long="+loadLong.String())
}
