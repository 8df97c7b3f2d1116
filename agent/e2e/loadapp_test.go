package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
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

// filled puts the lab's base image and the app's name into a file's text.
func (a *app) filled(text string) string {
	return strings.NewReplacer("BASE", a.tools.base, "NAME", a.name).Replace(text)
}

func names(apps []*loadedApp) string {
	var list []string
	for _, a := range apps {
		list = append(list, a.name)
	}
	return strings.Join(list, ",")
}
