package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// Health is how bad a finding is.
type Health string

const (
	HealthOK      Health = "ok"
	HealthWarning Health = "warning" // works, and will not for ever or for everybody
	HealthProblem Health = "problem" // does not work
)

// Finding is what one check of the doctor says about one point.
type Finding struct {
	Check  string `json:"check"`
	App    string `json:"app"` // "": the server
	Status Health `json:"status"`
	Text   string `json:"text"`
	// Mend is the command, or what else a person does about it.
	Mend string `json:"mend"`
	// Fixable: Fix does it.
	Fixable bool `json:"fixable"`
	// Mended: Fix has done it; Text says what it was.
	Mended bool `json:"mended"`

	// fix mends it; what several findings share has one key and is done once.
	fix    func(context.Context) error
	fixKey string
}

const (
	// checkPatience is how long one check may take: what it needs may hang.
	checkPatience = 5 * time.Second
	// fixPatience is how long it may take to mend one thing.
	fixPatience = 2 * time.Minute
	// halfDone is the age from which on nobody is at work any longer.
	halfDone = 5 * time.Minute
)

// A Doctor looks after a server.
type Doctor struct {
	Server *agent.Server
	// Around is the host outside of the root; the zero value is the host itself.
	Around Surroundings
}

// An Examination is one look at a server. What several checks need is asked once.
type Examination struct {
	Server *agent.Server
	set    app.Settings
	// engine says whether the engine answers.
	engine func() (engine.Info, error)
	// condition is the proxy's; one that cannot be examined has nothing to say.
	condition func() (proxy.Condition, error)
	Surroundings
}

// Surroundings are the parts of the host that the doctor reads. Tests replace them.
type Surroundings struct {
	SSHConfig string                             // default /etc/ssh/sshd_config
	Statfs    func(string, *unix.Statfs_t) error // default statfs(2)
	Patience  time.Duration                      // of one check; default 5 s
}

func (s Surroundings) orDefaults() Surroundings {
	s.SSHConfig = cmp.Or(s.SSHConfig, "/etc/ssh/sshd_config")
	s.Patience = cmp.Or(s.Patience, checkPatience)
	if s.Statfs == nil {
		s.Statfs = unix.Statfs
	}
	return s
}

// Examine checks the server and all apps, or with app not "" that one. It changes
// nothing. Each check has its own deadline, so that it works, and says what is
// wrong, while the engine or nginx is down or hangs. The order of the findings is
// fixed.
func (d Doctor) Examine(ctx context.Context, app string) []Finding {
	return (&Examination{Server: d.Server, Surroundings: d.Around.orDefaults()}).run(ctx, app)
}

func (d *Examination) run(ctx context.Context, app string) []Finding {
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
			Mend: "correct " + d.Server.Env.Store.Own("server.json") + ", or restore it from a backup"}}
	}
	var checks []func(context.Context) []Finding
	if app == "" {
		checks = append(checks, d.checkEngine, d.checkNginx, d.checkSSH, d.checkKeys, d.checkAgent, d.checkGit, d.checkDisk,
			d.checkPermissions, d.CheckStray, d.checkOrphans)
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

// limited is the context of one check.
func (d *Examination) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d.Patience, fmt.Errorf("no answer within %s", d.Patience))
}

// Fix does what is safe about the findings, and examines again. It starts
// nothing that an administrator may have stopped: nginx, sshd, the agent, a
// process that has ended. The findings that are gone come back as mended ones.
func (d Doctor) Fix(ctx context.Context, app string, found []Finding, log event.Log) []Finding {
	done := map[string]bool{}
	for _, f := range found {
		if f.fix == nil || done[f.fixKey] {
			continue
		}
		done[f.fixKey] = true
		ctx, cancel := context.WithTimeout(ctx, fixPatience)
		if err := f.fix(ctx); err != nil {
			log.WithApp(f.App).Warn("cannot mend %s: %s", f.Title(), err)
		}
		cancel()
	}
	after := d.Examine(ctx, app)
	return mended(found, after)
}

// mended puts what is fine now, and was not before, in the place of what says so.
func mended(before, after []Finding) []Finding {
	bad := func(list []Finding, f Finding) bool {
		return slices.ContainsFunc(list, func(g Finding) bool {
			return g.Check == f.Check && g.App == f.App && g.Status != HealthOK
		})
	}
	var list []Finding
	for _, f := range before {
		if f.Status != HealthOK && !bad(after, f) {
			list = append(list, Finding{Check: f.Check, App: f.App, Status: HealthOK, Text: f.Text, Fixable: f.Fixable, Mended: true})
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

// Title is what a line about the finding begins with.
func (f Finding) Title() string {
	if f.App == "" {
		return f.Check
	}
	return f.App + " " + f.Check
}

func fine(check, format string, args ...any) []Finding {
	return []Finding{{Check: check, Status: HealthOK, Text: fmt.Sprintf(format, args...)}}
}

func wrong(check string, h Health, mend, format string, args ...any) Finding {
	return Finding{Check: check, Status: h, Mend: mend, Text: fmt.Sprintf(format, args...)}
}

// fixed makes a finding one that Fix mends.
func (f Finding) fixed(key string, fix func(context.Context) error) Finding {
	f.Fixable, f.fixKey, f.fix = true, key, fix
	return f
}

// service is the command that tells the init system to start, or restart, a
// service.
func service(verb, name string) string {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "systemctl " + verb + " " + name
	}
	return "service " + name + " " + verb
}
