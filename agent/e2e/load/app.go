package load

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
)

const (
	// slow is how long a slow answer takes, and the shorter websockets live: less
	// than an old process is kept, so that none of them may end early.
	slow   = 5 * time.Second
	Retire = 7 * time.Second
	long   = 20 * time.Second
)

// An App changes under load, and records the changes.
type App struct {
	App *lab.App
	*History
	config  int
	scales  int
	Done    map[string]int // operations by their kind
	changes []change       // those that replaced or took away processes
	issuer  *Issuer
	// certificates are those that the app was given, the present one last.
	certificates []issued
}

// A change of an app began and ended then.
type change struct{ begun, ended time.Time }

// refusals are pushes that must be rejected, with their expected output.
var refusals = []struct {
	files lab.Files
	says  string
}{
	{lab.Files{"CHECKS": "WAIT=1\nATTEMPTS=1\n/ never\n"}, "the answer does not hold \"never\""},
	{lab.Files{"Dockerfile": "FROM BASE\nCOPY . /app/\nRUN [\"/server\", \"-exit=7\"]\n"}, "ended with exit code 7"},
	{lab.Files{"DOKKU_SCALE": "web: 1\n"}, "web: 1"},
	{lab.Files{"Procfile": "web: /server -name=NAME\nworker: /server -port= -exit=4\n"}, "worker.1 exited with code 4"},
}

// NewApp deploys an app of two web processes and a worker, which is reached with and
// without TLS.
func NewApp(l *lab.Lab, issuer *Issuer) *App {
	l.T.Helper()
	a := l.App(lab.Files{"CHECKS": "WAIT=5\nATTEMPTS=2\n/\n"})
	a.Commit(lab.Files{"Procfile": fmt.Sprintf("web: /server -warm-up=200ms -name=%s\nworker: /server -port=\n", a.Name)})
	a.Push(nil)
	a.Lab.Dokku("ps:scale", a.Name, "web=2", "worker=1")
	a.Lab.Dokku("config:set", a.Name, "GREETING=0")
	a.Lab.Dokku("nginx:set", a.Name, "https-redirect", "off")
	h := Watch(a)
	h.versions[0].config = "0"
	loaded := &App{App: a, History: h, Done: map[string]int{}, issuer: issuer}
	loaded.replaceCertificate("certs:add")
	return loaded
}

// replaceCertificate gives the app a certificate with another key, by a command.
func (a *App) replaceCertificate(command string) {
	a.App.Lab.T.Helper()
	crt, key, serial := a.issuer.issue(a.App.Lab.T, a.App.Lab.T.TempDir(), a.App.Name+".e2e.test")
	i := issued{serial: serial, begun: time.Now()}
	a.App.Lab.Dokku(command, a.App.Name, crt, key)
	i.live = time.Now()
	a.certificates = append(a.certificates, i)
	a.Done[command]++
}

// With returns the app for a subtest, with the same record.
func (a *App) With(t *testing.T) *App {
	a.App = a.App.With(t)
	return a
}

// Replacements is how often a round replaces the app's certificate.
const Replacements = 4

// Round does the nth round of changes: a deploy, then a rejected one or a ps:scale, and
// every fifth time each a rollback before them and a config:set after them, a detached
// deploy, and one that is cancelled, between replacements of the certificate.
func (a *App) Round(n int) {
	a.App.Lab.T.Helper()
	a.replaceCertificate("certs:update")
	if n%5 == 4 {
		a.rollBack()
	}
	switch n % 5 {
	case 1:
		a.change("detached", func() {
			a.detach(fmt.Sprint("detached ", n))
			a.returned(a.App)
		})
	case 3:
		a.cancel()
	}
	a.change("deploys", func() {
		lab.Contains(a.App.Lab.T, a.App.Push(lab.Files{"version": fmt.Sprint(n)}), "Application deployed")
		a.returned(a.App)
	})
	for range Replacements - 2 {
		a.replaceCertificate("certs:update")
	}
	if n%2 == 1 {
		a.refuse(n/2 + n/8)
	} else {
		a.change("scalings", func() {
			a.App.Lab.Dokku("ps:scale", a.App.Name, fmt.Sprintf("web=%d", []int{3, 1, 2}[a.scales%3]))
			a.scales++
		})
	}
	a.replaceCertificate("certs:update")
	if n%5 == 4 {
		a.change("configs", func() {
			a.config++
			a.configured(fmt.Sprint(a.config))
			a.App.Lab.Dokku("config:set", a.App.Name, fmt.Sprintf("GREETING=%d", a.config))
			a.returned(a.App)
		})
	}
}

// rollBack goes back to the revision before. Another config than it had then tells its
// answers from the earlier ones.
func (a *App) rollBack() {
	a.App.Lab.T.Helper()
	a.config++
	config := fmt.Sprint(a.config)
	a.App.Lab.Dokku("config:set", "--no-restart", a.App.Name, "GREETING="+config)
	a.change("rollbacks", func() {
		rev := a.earlier()
		a.back(rev, config, func() {
			lab.Contains(a.App.Lab.T, a.App.Lab.Dokku("releases:rollback", a.App.Name, "--keep-config"), "serves "+rev[:7])
		})
	})
}

// detach pushes a version without waiting for its deploy, and follows that by its log.
func (a *App) detach(version string) {
	t := a.App.Lab.T
	t.Helper()
	rev := a.App.Commit(lab.Files{"version": version})
	_, follow, found := strings.Cut(a.App.Pushing("-o", "detach", "main").Fails(), "goes on: ")
	if !found {
		t.Fatal("the push does not say that its deploy goes on")
	}
	words := strings.Fields(follow)
	at := slices.Index(words, "deploys:log")
	lab.Contains(t, a.App.Lab.Dokku(words[at:at+4]...), "Application deployed")
	if tip := a.App.Tip("main"); tip != rev {
		t.Fatalf("main is at %s after the detached push of %s", tip, rev)
	}
}

// cancel cancels the deploy of a version whose checks never pass.
func (a *App) cancel() {
	t := a.App.Lab.T
	t.Helper()
	live := a.App.Tip("main")
	a.App.Commit(lab.Files{"version": "cancelled", "CHECKS": "WAIT=1\nATTEMPTS=100\n/ never\n"})
	push := a.App.Pushing()
	push.Prints("Attempt 1/100")
	lab.Contains(t, a.App.Lab.Dokku("deploys:cancel", a.App.Name), "Cancelled ")
	lab.Contains(t, push.Fails(), "this push was cancelled by ")
	if tip := a.App.Tip("main"); tip != live {
		t.Fatal("a cancelled push moves main")
	}
	a.App.Git("reset", "-q", "--hard", live)
	a.Done["cancelled"]++
}

// change runs an operation that replaces or removes processes.
func (a *App) change(kind string, do func()) {
	a.App.Lab.T.Helper()
	begun := time.Now()
	do()
	a.changes = append(a.changes, change{begun, time.Now()})
	a.Done[kind]++
}

// refuse pushes a version that must be rejected.
func (a *App) refuse(n int) {
	a.App.Lab.T.Helper()
	r := refusals[n%len(refusals)]
	f := lab.Files{"version": fmt.Sprint("rejected ", n)}
	for name, text := range r.files {
		f[name] = filled(a.App, text)
	}
	live := a.App.Tip("main")
	a.App.Commit(f)
	out := a.App.Pushing().Fails()
	lab.Contains(a.App.Lab.T, out, r.says)
	if tip := a.App.Tip("main"); tip != live {
		a.App.Lab.T.Fatalf("a rejected push moves main:\n%s", out)
	}
	a.App.Git("reset", "-q", "--hard", live)
	a.Done["rejected"]++
}

// filled puts the lab's base image and the app's name into a file's text.
func filled(a *lab.App, text string) string {
	return strings.NewReplacer("BASE", a.Lab.Tools.Base, "NAME", a.Name).Replace(text)
}

func names(apps []*App) string {
	var list []string
	for _, a := range apps {
		list = append(list, a.App.Name)
	}
	return strings.Join(list, ",")
}
