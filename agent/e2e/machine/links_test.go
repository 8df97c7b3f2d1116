package machine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent"
	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/doctor"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/watch"
)

// served is a machine with an app and services, and what links them.
type servedMachine struct {
	*machine
	services *services.Manager
	link     agent.LinkOptions
	said     []string // what changed the variables
}

func newServed(t *testing.T) *servedMachine {
	m := &servedMachine{machine: newBase(t, newHistory(t), agenttest.Served)}
	var err error
	if m.services, err = m.server.Services(); err != nil {
		t.Fatal(err)
	}
	m.link = agent.LinkOptions{Restart: true, Announce: func(set map[string]string, unset []string) {
		for name := range set {
			m.said = append(m.said, "set "+name)
		}
		for _, name := range unset {
			m.said = append(m.said, "unset "+name)
		}
	}}
	return m
}

func (m *servedMachine) kind(name string) services.Kind {
	m.t.Helper()
	k, err := m.services.Kind(name)
	check(m.t, err)
	return k
}

func (m *servedMachine) load() *app.App {
	m.t.Helper()
	a, err := m.server.Env.Store.Load("shop")
	check(m.t, err)
	return a
}

func (m *servedMachine) refused(err error, text string) {
	m.t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		m.t.Errorf("got %v, want %q", err, text)
	}
}

// reaches are the lines that web.1 printed about its dials.
func (m *servedMachine) reaches() (lines []string) {
	m.t.Helper()
	o, err := m.engine.Observe(context.Background(), "shop")
	check(m.t, err)
	current := m.load().Current
	for _, i := range o.Instances {
		if i.Type == "web" && i.Index == 1 && i.Release == current.Number {
			var log strings.Builder
			check(m.t, m.engine.Logs(context.Background(), i.ID, engine.LogOptions{}, &log))
			lines = strings.Split(strings.TrimSpace(log.String()), "\n")
		}
	}
	return lines
}

// dials makes web look for the services.
func dials(s engine.Spec) memory.Behaviour {
	b := behaviour(s)
	if s.Type == "web" {
		b.Output, b.Dials = nil, []string{"dokku-postgres-db:5432", "dokku-redis-q:6379"}
	}
	return b
}

// TestLink: an app reaches the services that it is linked to, and no other one. The
// variables have names that are free.
func TestLink(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	m.engine.Behave(dials)
	postgres, redis := m.kind("postgres"), m.kind("redis")
	check(t, m.server.Link(ctx, postgres, "db", "shop", m.link, none))
	a := m.load()
	if got := a.State.Config["DATABASE_URL"]; got != "postgres://postgres:secret@dokku-postgres-db:5432/db" || a.Current.Config["DATABASE_URL"] != got {
		t.Errorf("DATABASE_URL is %s", got)
	}
	if got, want := m.reaches(), []string{"reached dokku-postgres-db:5432", "cannot reach dokku-redis-q:6379"}; !slices.Equal(got, want) {
		t.Errorf("web says %q, want %q", got, want)
	}
	m.refused(m.server.Link(ctx, postgres, "db", "shop", m.link, none), "Already linked as DATABASE_URL")

	_, err := m.services.Create(ctx, postgres, "two", services.Options{}, none)
	check(t, err)
	check(t, m.server.Link(ctx, postgres, "two", "shop", m.link, none))
	m.refused(m.server.Promote(ctx, postgres, "db", "shop", m.link, none), "Service db already promoted as DATABASE_URL")
	check(t, m.server.Promote(ctx, postgres, "two", "shop", m.link, none))
	config := m.load().State.Config
	if !strings.Contains(config["DATABASE_URL"], "@dokku-postgres-two:") || !strings.Contains(config["DOKKU_POSTGRES_AQUA_URL"], "@dokku-postgres-two:") ||
		!strings.Contains(config["DOKKU_POSTGRES_BLACK_URL"], "@dokku-postgres-db:") {
		t.Errorf("the config is %v", config)
	}

	o := m.link
	o.Alias, o.Query = "QUEUE", "pool=5"
	check(t, m.server.Link(ctx, redis, "q", "shop", o, none))
	if got := m.load().State.Config["QUEUE_URL"]; got != "redis://:secret@dokku-redis-q:6379?pool=5" {
		t.Errorf("QUEUE_URL is %s", got)
	}
	o.Alias = "DATABASE"
	m.refused(m.server.Link(ctx, redis, "q", "shop", o, none), "Already linked as QUEUE_URL")
	if got := m.reaches(); got[1] != "reached dokku-redis-q:6379" {
		t.Errorf("web says %q", got)
	}

	// What is in use is not destroyed, and what was unlinked is away.
	m.refused(m.services.Destroy(ctx, postgres, "db", false, m.server.LinkedApps, none), "Cannot delete linked service")
	check(t, m.server.Unlink(ctx, postgres, "db", "shop", m.link, none))
	m.refused(m.server.Unlink(ctx, postgres, "db", "shop", m.link, none), "Not linked to app shop")
	a = m.load()
	if _, left := a.State.Config["DOKKU_POSTGRES_BLACK_URL"]; left || len(a.State.Links) != 2 {
		t.Errorf("left are %v, links %v", a.State.Config, a.State.Links)
	}
	if got := m.reaches(); got[0] != "cannot reach dokku-postgres-db:5432" {
		t.Errorf("web says %q", got)
	}
	check(t, m.services.Destroy(ctx, postgres, "db", false, m.server.LinkedApps, none))
	if want := []string{"set DATABASE_URL", "set DOKKU_POSTGRES_AQUA_URL", "set QUEUE_URL"}; !slices.Equal([]string{m.said[0], m.said[1], m.said[4]}, want) {
		t.Errorf("it announced %q", m.said)
	}
}

// TestLinkRejected: an app that does not come up with its database stays as it was.
func TestLinkRejected(t *testing.T) {
	m := newServed(t)
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if s.Release > 1 {
			return memory.Behaviour{Exits: true, Code: 1}
		}
		return behaviour(s)
	})
	if err := m.server.Link(t.Context(), m.kind("postgres"), "db", "shop", m.link, event.Log{}); err == nil {
		t.Error("it is linked")
	}
	if st := m.load().State; len(st.Links) > 0 || len(st.Config) > 0 || st.Current != 1 {
		t.Errorf("the state is %+v", st)
	}
	check(t, m.serving())
}

// TestLinkScheme: an app may ask for another scheme of the URL.
func TestLinkScheme(t *testing.T) {
	m := newServed(t)
	check(t, m.server.SetConfig(t.Context(), "shop", map[string]string{"POSTGRES_DATABASE_SCHEME": "postgis"}, nil, false, event.Log{}))
	o := m.link
	o.Restart = false
	check(t, m.server.Link(t.Context(), m.kind("postgres"), "db", "shop", o, event.Log{}))
	a := m.load()
	if got := a.State.Config["DATABASE_URL"]; got != "postgis://postgres:secret@dokku-postgres-db:5432/db" || a.Current.Number != 1 {
		t.Errorf("DATABASE_URL is %s, v%d runs", got, a.Current.Number)
	}
	check(t, m.server.Unlink(t.Context(), m.kind("postgres"), "db", "shop", o, event.Log{}))
	if got := m.load().State.Config; len(got) != 1 {
		t.Errorf("the config is %v", got)
	}
}

// TestLinkMoves: the link of an app goes with its name, a clone has it too, and a destroyed
// app has none.
func TestLinkMoves(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	check(t, m.server.Link(ctx, m.kind("postgres"), "db", "shop", m.link, none))
	check(t, m.server.Clone(ctx, "shop", "copy", none))
	check(t, m.server.Rename(ctx, "shop", "store", false, none))
	linked := func() string {
		apps, err := m.server.LinkedApps(services.Ref{Kind: "postgres", Name: "db"})
		check(t, err)
		return strings.Join(apps, " ")
	}
	if got := linked(); got != "copy store" {
		t.Errorf("linked are %s", got)
	}
	check(t, m.server.Destroy(ctx, "copy", none))
	check(t, m.server.Destroy(ctx, "store", none))
	if got := linked(); got != "" {
		t.Errorf("linked are %s", got)
	}
}

// TestLinkWithoutService: a release does not start without its service, and an app can be
// unlinked from one that is gone.
func TestLinkWithoutService(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	check(t, m.server.Link(ctx, m.kind("postgres"), "db", "shop", m.link, none))
	nobody := func(services.Ref) ([]string, error) { return nil, nil }
	check(t, m.services.Destroy(ctx, m.kind("postgres"), "db", false, nobody, none))
	m.refused(m.server.Restart(ctx, "shop", none), "Postgres service db does not exist, and shop is linked to it: make it with dokku postgres:create db")
	check(t, m.serving())
	check(t, m.server.Unlink(ctx, m.kind("postgres"), "db", "shop", m.link, none))
	if st := m.load().State; len(st.Links)+len(st.Config) > 0 {
		t.Errorf("the state is %+v", st)
	}
	check(t, m.server.Restart(ctx, "shop", none))
	check(t, m.settleServices()) // the network that the app had joined is removed now
	o, err := m.engine.Observe(ctx, "_postgres.db")
	if err != nil || len(o.Networks) > 0 {
		t.Errorf("left are %+v (%v)", o, err)
	}
}

// TestServicesFirst: after a reboot an app starts once its service is there.
func TestServicesFirst(t *testing.T) {
	m := newServed(t)
	check(t, m.server.Link(t.Context(), m.kind("postgres"), "db", "shop", m.link, event.Log{}))
	m.settle()
	synctest.Test(t, func(t *testing.T) {
		m.engine.Behave(func(s engine.Spec) memory.Behaviour {
			b := dials(s)
			b.StopCode = 0 // processes that end well are not started again by the engine
			return b
		})
		m.engine.Restart()
		// Somebody has removed the service's container while the host was down.
		check(t, m.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: "dokku.postgres.db"}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
		time.Sleep(time.Minute) // the bubble's
		if got := m.reaches(); got[len(got)-2] != "reached dokku-postgres-db:5432" {
			t.Errorf("web says %q", got)
		}
		check(t, m.servicesRest())

		// It is started again when it ends for good.
		check(t, m.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: "dokku.postgres.db"}))
		time.Sleep(10 * time.Second)
		check(t, m.servicesRest())
		cancel()
		check(t, <-ended)
	})
}

// TestBackupNamesServices: a backup of an app says that the data of its services are not
// in it, and brings the link back.
func TestBackupNamesServices(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	check(t, m.server.Link(ctx, m.kind("postgres"), "db", "shop", m.link, none))
	var file bytes.Buffer
	_, left, err := backup.Write(ctx, m.server, backup.BackupOptions{Apps: []string{"shop"}}, &file, none)
	check(t, err)
	if got := strings.Join(left, "\n"); got != "Not in the backup of shop: the service postgres db (dokku postgres:export db has its data)" {
		t.Errorf("left are %q", got)
	}
}

// TestDoctorServices: the doctor names services that do not run, and those whose last import
// did not end well.
func TestDoctorServices(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	check(t, m.server.Link(ctx, m.kind("postgres"), "db", "shop", m.link, none))
	found := func() string {
		var lines []string
		for _, f := range (doctor.Doctor{Server: m.server}).Examine(ctx, "") {
			if f.Check == "services" {
				lines = append(lines, fmt.Sprintf("%s: %s; %s", f.Status, f.Text, f.Fix))
			}
		}
		return strings.Join(lines, "\n")
	}
	if got := found(); got != "ok: running: 2 services; " {
		t.Errorf("got %s", got)
	}
	check(t, m.services.Pause(ctx, m.kind("redis"), "q", none)) // nobody needs it
	if got := found(); got != "ok: running: 1 service; " {
		t.Errorf("got %s", got)
	}
	check(t, m.services.Pause(ctx, m.kind("postgres"), "db", none))
	if got := found(); got != "warning: postgres db is stopped, and shop needs it; dokku postgres:start db" {
		t.Errorf("got %s", got)
	}
	check(t, m.services.Start(ctx, m.kind("postgres"), "db", none))
	check(t, m.engine.Remove(ctx, engine.Resource{Kind: engine.Container, ID: "dokku.postgres.db"}))
	if got := found(); got != "problem: postgres db does not run; dokku postgres:start db, or see dokku postgres:logs db" {
		t.Errorf("got %s", got)
	}
}

// TestWaitingApps: apps that an upgrade has stopped start again, also if it was killed before it
// could start them. One that was stopped before stays so.
func TestWaitingApps(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	k := m.kind("postgres")
	check(t, m.server.Link(ctx, k, "db", "shop", m.link, none))
	r := services.Ref{Kind: "postgres", Name: "db"}
	without := func(work func() error) {
		defer func() { recover() }()
		check(t, m.services.Hold(ctx, k, "db", "upgrade", none, func(svc *services.Service) error {
			return m.server.WithoutApps(ctx, m.services, svc, none, work)
		}))
	}
	stopped := func(want bool) {
		t.Helper()
		if m.load().State.Stopped != want {
			t.Errorf("the app is stopped: %v, want %v", !want, want)
		}
	}
	without(func() error { stopped(true); return nil })
	stopped(false)
	without(func() error { panic("killed") })
	stopped(true)
	if !m.services.Pending(r) {
		t.Error("the agent does not see that there is something to do")
	}
	check(t, m.server.StartWaiting(ctx, r, none))
	stopped(false)
	if m.services.Pending(r) {
		t.Error("there is still something to do")
	}
	check(t, m.server.Stop(ctx, "shop", none))
	without(func() error { return nil })
	stopped(true)
}
