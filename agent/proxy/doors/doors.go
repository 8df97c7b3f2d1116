package doors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/proxy"
)

// Proxy is the proxy of this server together with its front doors: a route is live once all
// that are enabled have proven it.
type Proxy struct {
	local proxy.Proxy
	doors []*door
	out   []string // what is said of those that are left out
}

var (
	_ proxy.Proxy     = (*Proxy)(nil)
	_ proxy.Examiner  = (*Proxy)(nil)
	_ proxy.Inspector = (*Proxy)(nil)
	_ proxy.Distant   = (*Proxy)(nil)
)

// A door is an enabled front door.
type door struct {
	name string
	app.FrontDoor
	settings Settings
	records  records
	pool     *Pool
}

// Config is what Proxy needs beside the local proxy.
type Config struct {
	Doors    map[string]app.FrontDoor
	Settings Settings // Back is that of each front door
	Dir      string   // of the records
	Disk     disk.Disk
	Pool     *Pool
}

// New returns the proxy of this server and its enabled front doors, without those that are left
// out; without any, the local one itself.
func New(local proxy.Proxy, c Config) proxy.Proxy {
	p := &Proxy{local: local}
	for _, name := range (app.Settings{FrontDoors: c.Doors}).Doors() {
		switch d := c.Doors[name]; {
		case d.Disabled:
		case c.LeftOut(name, d):
			p.out = append(p.out, fmt.Sprintf("Front door %s (%s) has not answered since %s, so this goes on without it (leave-out-after %d)",
				name, d.Address, c.Away(name).Format(time.RFC3339), d.LeaveOut))
		default:
			p.doors = append(p.doors, c.door(name, d))
		}
	}
	if len(p.doors)+len(p.out) == 0 {
		return local
	}
	return p
}

func (c Config) door(name string, d app.FrontDoor) *door {
	set := c.Settings
	set.Back, _ = netip.ParseAddr(d.Back) // front-door:add checked it; else the door says what lacks
	return &door{name: name, FrontDoor: d, settings: set, records: records{filepath.Join(c.Dir, name), c.Disk}, pool: c.Pool}
}

// failed says which front door an error is about, and how to go on without it.
func (d *door) failed(err error) error {
	return fmt.Errorf("front door %s (%s): %w\nTo go on without it, take it out of the DNS first, then: dokku front-door:disable %[1]s", d.name, d.Address, err)
}

// call asks the front door, with the settings.
func (d *door) call(ctx context.Context, r request) (response, error) {
	r.Settings = d.settings
	answer, err := d.pool.call(ctx, d.FrontDoor, r)
	if err != nil {
		err = d.failed(err)
	}
	return answer, err
}

// all calls do for each front door at the same time, and here beside that, unless it is nil.
func (p *Proxy) all(do func(*door) error, here func() error) error {
	errs := make([]error, len(p.doors)+1)
	var wg sync.WaitGroup
	for i, d := range p.doors {
		wg.Go(func() { errs[i+1] = do(d) })
	}
	if here != nil {
		errs[0] = here()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// A sent is a route as front doors get it.
type sent struct {
	view     proxy.Route
	identity string
}

func toSend(r proxy.Route) (s sent, err error) {
	if s.view, err = view(r); err != nil {
		return s, err
	}
	s.identity, err = identity(s.view)
	return s, err
}

// proven reports whether the front door has proven this route with these settings.
func (d *door) proven(app, identity string) bool {
	return d.records.read(app).Route == identity && d.records.read(settingsRecord).Route == digest(d.settings)
}

// request returns the request that sends a route.
func (s sent) request(o op) (request, error) {
	r := request{Op: o, Route: &s.view, Replaces: s.view.Replaces}
	if s.view.Auth != nil {
		r.Users = s.view.Auth.Users
	}
	var err error
	if r.Files, err = filesOf(s.view); err == nil {
		err = checkFiles(s.view, r.Files)
	}
	return r, err
}

// Stage tests the route here and at all front doors.
func (p *Proxy) Stage(ctx context.Context, r proxy.Route) error {
	s, err := toSend(r)
	if err != nil {
		return err
	}
	return p.all(func(d *door) error {
		if r.Replaces == "" && d.proven(r.App, s.identity) {
			return nil
		}
		q, err := s.request(opStage)
		if err == nil {
			_, err = d.call(ctx, q)
		}
		return err
	}, func() error { return p.local.Stage(ctx, r) })
}

// Publish makes the route live at all front doors, and then here. If it fails, each of them
// serves the old route or the new one, and Live says so; this server's own is the old one.
func (p *Proxy) Publish(ctx context.Context, r proxy.Route) error {
	s, err := toSend(r)
	if err != nil {
		return err
	}
	if err := p.all(func(d *door) error { return d.publish(ctx, s) }, nil); err != nil {
		return err
	}
	return p.local.Publish(ctx, r)
}

// publish sends a route. A crash after the first record leaves one that says what the front
// door may serve; after the call, the front door serves the route and the next publish
// finds that out.
func (d *door) publish(ctx context.Context, s sent) error {
	name, former := s.view.App, s.view.Replaces
	if former == "" && d.proven(name, s.identity) {
		return nil
	}
	q, err := s.request(opPublish)
	if err != nil {
		return err
	}
	may := s.view.Upstreams
	if former != "" {
		may = union(may, d.records.read(former).May)
	}
	if err := d.records.change(ctx, name, func(was record) record { return record{May: union(was.May, may)} }); err != nil {
		return err
	}
	answer, err := d.call(ctx, q)
	if err != nil {
		return err
	}
	is := record{Route: s.identity, Token: answer.Token, May: s.view.Upstreams}
	if err := d.records.change(ctx, name, func(record) record { return is }); err != nil {
		return err
	}
	if former != "" {
		if err := d.records.remove(former); err != nil {
			return err
		}
	}
	return d.noteSettings(ctx)
}

// noteSettings records that the front door has the settings: it writes all routes anew with
// those of each change.
func (d *door) noteSettings(ctx context.Context) error {
	if now := digest(d.settings); d.records.read(settingsRecord).Route != now {
		return d.records.change(ctx, settingsRecord, func(record) record { return record{Route: now} })
	}
	return nil
}

// Withdraw removes the route at the front doors that have it, and then here.
func (p *Proxy) Withdraw(ctx context.Context, app string) error {
	if err := proxy.CheckApp(app); err != nil {
		return err
	}
	if err := p.all(func(d *door) error {
		if !d.records.has(app) {
			return nil
		}
		return d.withdraw(ctx, app)
	}, nil); err != nil {
		return err
	}
	return p.local.Withdraw(ctx, app)
}

func (d *door) withdraw(ctx context.Context, app string) error {
	if err := d.records.change(ctx, app, doubted); err != nil {
		return err
	}
	if _, err := d.call(ctx, request{Op: opWithdraw, App: app}); err != nil {
		return err
	}
	return d.records.remove(app)
}

// Live returns the route of this server. It is outdated if a front door has not proven it,
// and its upstreams are then all processes that a front door may still send requests to.
func (p *Proxy) Live(ctx context.Context, app string) (r proxy.Route, ok bool, err error) {
	if r, ok, err = p.local.Live(ctx, app); err != nil || !ok {
		return r, ok, err
	}
	s, err := toSend(r)
	if err != nil {
		return r, ok, err
	}
	for _, d := range p.doors {
		if d.proven(app, s.identity) {
			continue
		}
		r.Outdated = true
		r.Upstreams = union(r.Upstreams, d.records.read(app).May)
	}
	return r, ok, nil
}

// Refresh makes this server's settings take effect at all front doors, and then here.
func (p *Proxy) Refresh(ctx context.Context) error {
	if err := p.all(func(d *door) error {
		if _, err := d.call(ctx, request{Op: opRefresh}); err != nil {
			return err
		}
		return d.noteSettings(ctx)
	}, nil); err != nil {
		return err
	}
	return p.local.Refresh(ctx)
}

// Configuration returns the text of this server's own proxy.
func (p *Proxy) Configuration(ctx context.Context, app string) (string, bool, error) {
	i, err := p.inspector()
	if err != nil {
		return "", false, err
	}
	return i.Configuration(ctx, app)
}

// Validate tests the configuration of this server's own proxy.
func (p *Proxy) Validate(ctx context.Context) error {
	i, err := p.inspector()
	if err != nil {
		return err
	}
	return i.Validate(ctx)
}

func (p *Proxy) inspector() (proxy.Inspector, error) {
	i, ok := p.local.(proxy.Inspector)
	if !ok {
		return nil, errors.New("this proxy has no configuration to show")
	}
	return i, nil
}

// Examine looks at this server's own proxy.
func (p *Proxy) Examine(ctx context.Context) proxy.Condition {
	if e, ok := p.local.(proxy.Examiner); ok {
		return e.Examine(ctx)
	}
	return proxy.Condition{}
}

// A Report is what a front door says about itself.
type Report struct {
	Version string
	// Off is how far its clock is ahead of this server's.
	Off time.Duration
	// Troubles are what is wrong with its nginx.
	Troubles []string
	// Doubted are the apps whose live route there is not the one that it has proven, and
	// Apps all that have a route there; both sorted.
	Doubted, Apps []string
}

// Look asks a front door how it is, and compares its routes with those that it has proven.
// A route that differs counts as not proven from then on. The front door may be disabled.
func (c Config) Look(ctx context.Context, name string, d app.FrontDoor, examine bool) (Report, error) {
	at := c.door(name, d)
	// Before the answer, since other processes publish meanwhile.
	known := map[string]record{}
	for _, app := range at.records.apps() {
		known[app] = at.records.read(app)
	}
	began := time.Now()
	answer, err := at.call(ctx, request{Op: opStatus, Examine: examine})
	if err != nil {
		return Report{}, err
	}
	r := Report{Version: answer.Version, Off: answer.Time.Sub(began.Add(time.Since(began) / 2)), Troubles: answer.Troubles}
	for app, rec := range known {
		if rec.Route != "" && answer.Routes[app] == rec.Token {
			continue
		}
		same := false // else another process has published meanwhile
		if err := at.records.change(ctx, app, func(now record) record {
			if same = now.Token == rec.Token && now.Route == rec.Route; same {
				now = doubted(now)
			}
			return now
		}); err != nil {
			return r, err
		}
		if same {
			r.Doubted = append(r.Doubted, app)
		}
	}
	slices.Sort(r.Doubted)
	r.Apps = slices.Sorted(maps.Keys(answer.Routes))
	return r, nil
}

// Remove withdraws an app's route from one front door. The caller has the app's lock.
func (c Config) Remove(ctx context.Context, name string, d app.FrontDoor, app string) error {
	return c.door(name, d).withdraw(ctx, app)
}

// Doubt forgets everything that a front door has proven.
func (c Config) Doubt(ctx context.Context, name string) error {
	r := records{filepath.Join(c.Dir, name), c.Disk}
	var errs []error
	for _, app := range append(r.apps(), settingsRecord) {
		errs = append(errs, r.change(ctx, app, doubted))
	}
	return errors.Join(errs...)
}

// Forget removes all records of a front door.
func (c Config) Forget(name string) error { return c.Disk.RemoveAll(filepath.Join(c.Dir, name)) }

// Proven reports whether a front door has proven a route of an app.
func (c Config) Proven(name, app string) bool {
	return records{filepath.Join(c.Dir, name), c.Disk}.read(app).Route != ""
}
