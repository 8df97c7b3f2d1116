package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/cluster"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// Health is how bad a finding is.
type Health string

// The values of Health.
const (
	HealthOK      Health = "ok"
	HealthWarning Health = "warning" // works now, but not forever or not for everybody
	HealthProblem Health = "problem" // does not work
)

// Finding is the result of a check about one point.
type Finding struct {
	Check  string `json:"check"`
	App    string `json:"app"` // "": the server
	Status Health `json:"status"`
	Text   string `json:"text"`
	// Fix is a command, or an instruction for a person.
	Fix string `json:"fix"`
	// Fixable reports that Doctor.Fix can fix it.
	Fixable bool `json:"fixable"`
	// Fixed reports that Doctor.Fix has fixed it; Text is the former finding.
	Fixed bool `json:"fixed"`
	// Sums reports that Text alone says what a healthy app runs, and where.
	Sums bool `json:"-"`

	// apply fixes it. Findings with the same applyKey share one fix, which runs once.
	apply    func(context.Context) error
	applyKey string
}

const (
	// checkPatience limits one check: the engine or nginx may hang. An engine that removes
	// or starts many containers on a busy server has taken more than 5 s for a list.
	checkPatience = 20 * time.Second
	// fixPatience limits one fix.
	fixPatience = 2 * time.Minute
	// halfDone is the age at which an unfinished operation counts as abandoned.
	halfDone = 5 * time.Minute
)

// A Doctor checks a server and its apps.
type Doctor struct {
	Server *agent.Server
	// Around is the host outside of the root; the zero value is the real host.
	Around Surroundings
}

// An examination is one run of the checks. It asks the engine and the proxy once for
// all checks.
type examination struct {
	Server *agent.Server
	set    app.Settings
	// engine returns an error if the engine does not answer.
	engine func() (engine.Info, error)
	// condition is the zero Condition for a proxy without proxy.Examiner.
	condition func() (proxy.Condition, error)
	Surroundings
}

// Surroundings are the parts of the host that the doctor reads; tests replace them.
type Surroundings struct {
	SSHConfig string                             // default /etc/ssh/sshd_config
	Statfs    func(string, *unix.Statfs_t) error // default statfs(2)
	Patience  time.Duration                      // of one check; default 20 s
	// Dial reaches the managers of a swarm; the default is net.Dialer's.
	Dial cluster.Dialer
	// Synchronised reports whether something sets this server's clock; the default asks the
	// kernel.
	Synchronised func() bool
}

func (s Surroundings) orDefaults() Surroundings {
	s.SSHConfig = cmp.Or(s.SSHConfig, "/etc/ssh/sshd_config")
	s.Patience = cmp.Or(s.Patience, checkPatience)
	if s.Statfs == nil {
		s.Statfs = unix.Statfs
	}
	if s.Dial == nil {
		s.Dial = (&net.Dialer{}).DialContext
	}
	if s.Synchronised == nil {
		s.Synchronised = synchronised
	}
	return s
}

// Examine checks the server and all apps, or only app if it is not "". It changes
// nothing. Each check has its own deadline, so Examine works while the engine or nginx
// is down or hangs. The order of the findings is fixed.
func (d Doctor) Examine(ctx context.Context, app string) []Finding {
	return (&examination{Server: d.Server, Surroundings: d.Around.orDefaults()}).run(ctx, app)
}

func (d *examination) run(ctx context.Context, app string) []Finding {
	d.engine = sync.OnceValues(func() (engine.Info, error) {
		ctx, cancel := d.limited(ctx)
		defer cancel()
		host, err := d.Server.Env.Engine(d.set)
		if err != nil {
			return engine.Info{}, err
		}
		return host.Info(ctx)
	})
	d.condition = sync.OnceValues(func() (c proxy.Condition, err error) {
		ctx, cancel := d.limited(ctx)
		defer cancel()
		px := d.Server.Env.Proxy(d.set)
		if e, ok := px.(proxy.Examiner); ok {
			c = e.Examine(ctx)
		}
		return c, nil
	})
	var err error
	if d.set, err = d.Server.Env.Store.Settings(); err != nil {
		return []Finding{{Check: "settings", Status: HealthProblem, Text: err.Error(),
			Fix: "correct " + d.Server.Env.Store.Own("server.json") + ", or restore it from a backup"}}
	}
	var checks []func(context.Context) []Finding
	if app == "" {
		checks = append(checks, d.checkEngine, d.checkNginx, d.checkServerCertificate, d.checkSSH, d.checkKeys, d.checkAgent, d.checkGit, d.checkGitLimits, d.checkDisk, d.checkBuildCache, d.checkBuilder,
			d.checkServerHooks, d.checkBackups, d.checkPermissions, d.checkStray, d.checkOrphans, d.checkServices, d.checkCluster, d.checkRegistry, d.checkFrontDoors, d.checkIsolations, d.checkFirewall)
	}
	for _, name := range d.folders() {
		if app == "" || app == name {
			checks = append(checks, func(ctx context.Context) []Finding { return d.checkApp(ctx, name) })
		}
	}
	results := make([][]Finding, len(checks))
	var all errgroup.Group
	all.SetLimit(16)
	for i, check := range checks {
		all.Go(func() error {
			ctx, cancel := d.limited(ctx)
			defer cancel()
			results[i] = check(ctx)
			return nil
		})
	}
	all.Wait()
	return slices.Concat(results...)
}

// limited returns the context of one check.
func (d *examination) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d.Patience, fmt.Errorf("no answer within %s", d.Patience))
}

// Fix applies the safe fixes of the findings and examines again. It starts nothing that
// an administrator may have stopped: nginx, sshd, the agent, a process that has
// ended. Findings that are gone come back with Fixed set.
func (d Doctor) Fix(ctx context.Context, app string, found []Finding, log event.Log) []Finding {
	done := map[string]bool{}
	applyNew(ctx, found, done, log)
	after := d.Examine(ctx, app)
	found = slices.Concat(found, news(found, after))
	// The first examination may have missed something: an engine that is busy does not
	// answer a check in time.
	if applyNew(ctx, after, done, log) {
		after = d.Examine(ctx, app)
	}
	return markFixed(found, after)
}

// applyNew applies the fixes that are not done yet, and reports whether there were any.
func applyNew(ctx context.Context, found []Finding, done map[string]bool, log event.Log) (applied bool) {
	for _, f := range found {
		if f.apply == nil || done[f.applyKey] {
			continue
		}
		done[f.applyKey], applied = true, true
		ctx, cancel := context.WithTimeout(ctx, fixPatience)
		if err := f.apply(ctx); err != nil {
			log.WithApp(f.App).Warn("cannot fix %s: %s", f.Title(), err)
		}
		cancel()
	}
	return applied
}

// news returns the bad findings of after about points that were not bad before.
func news(before, after []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(after), func(f Finding) bool {
		return f.Status == HealthOK || bad(before, f)
	})
}

// bad reports whether the list has a bad finding about the same point.
func bad(list []Finding, f Finding) bool {
	return slices.ContainsFunc(list, func(g Finding) bool {
		return g.Check == f.Check && g.App == f.App && g.Status != HealthOK
	})
}

// markFixed replaces each finding that is fine now, and was not before, with one marked
// as fixed.
func markFixed(before, after []Finding) []Finding {
	var list []Finding
	for _, f := range before {
		if f.Status != HealthOK && !bad(after, f) {
			list = append(list, Finding{Check: f.Check, App: f.App, Status: HealthOK, Text: f.Text, Fixable: f.Fixable, Fixed: true})
		}
	}
	for _, f := range after {
		if f.Status == HealthOK && bad(before, f) {
			continue
		}
		list = append(list, f)
	}
	return list
}

// Title returns the beginning of a line about the finding.
func (f Finding) Title() string {
	if f.App == "" {
		return f.Check
	}
	return f.App + " " + f.Check
}

func fine(check, format string, args ...any) []Finding {
	return []Finding{{Check: check, Status: HealthOK, Text: fmt.Sprintf(format, args...)}}
}

func wrong(check string, h Health, fix, format string, args ...any) Finding {
	return Finding{Check: check, Status: h, Fix: fix, Text: fmt.Sprintf(format, args...)}
}

// fixable returns the finding with a fix that Doctor.Fix can apply.
func (f Finding) fixable(key string, fix func(context.Context) error) Finding {
	f.Fixable, f.applyKey, f.apply = true, key, fix
	return f
}

// service returns the command that starts or restarts a service.
func service(verb, name string) string {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "systemctl " + verb + " " + name
	}
	return "service " + name + " " + verb
}

// agent returns the command that starts or restarts the agent: install.sh names it by the
// prefix of an installation beside Dokku.
func (d *examination) agent(verb string) string {
	return service(verb, "dokku-"+strings.ReplaceAll(d.set.NamePrefix, ".", "-")+"agent")
}
