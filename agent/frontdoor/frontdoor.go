package frontdoor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/proxy/doors"
)

// parallel is how many apps are published at the same time: a front door carries their
// routes out in one step.
const parallel = 4

// unknown is the error of a front door that there is none of.
func unknown(set app.Settings, name string) error {
	if len(set.FrontDoors) == 0 {
		return fmt.Errorf("there is no front door %.80q: dokku front-door:add adds one", name)
	}
	return fmt.Errorf("there is no front door %.80q: there are %s", name, strings.Join(set.Doors(), ", "))
}

// Find returns the settings and a front door in them.
func Find(s *agent.Server, name string) (app.Settings, app.FrontDoor, error) {
	set, err := s.Settings()
	if err != nil {
		return set, app.FrontDoor{}, err
	}
	d, ok := set.FrontDoors[name]
	if !ok {
		return set, d, unknown(set, name)
	}
	return set, d, nil
}

// Line returns what another server runs to become a front door of this one. It makes this
// server's key on the first call.
func Line(s *agent.Server) (string, error) {
	set, err := s.Settings()
	if err != nil {
		return "", err
	}
	key, err := doors.MakeKey(s.Env.Store.Disk, s.Doors(set).Pool.KeyFile)
	return doors.InstallLine(key), err
}

// An Addition is a front door to be.
type Addition struct {
	Name, Address string
	// HostKey is the key that its sshd must have; "": the one that it shows.
	HostKey string
	// Back is the address at which it reaches this server; "": the one from which this server
	// reaches it.
	Back string
}

// Add remembers a front door, which is disabled at first: it may not be installed yet.
func Add(ctx context.Context, s *agent.Server, a Addition) (app.FrontDoor, error) {
	if err := app.CheckDoorName(a.Name); err != nil {
		return app.FrontDoor{}, err
	}
	set, err := s.Settings()
	if err != nil {
		return app.FrontDoor{}, err
	}
	if old, ok := set.FrontDoors[a.Name]; ok {
		return old, fmt.Errorf("there is a front door %s already, at %s: remove it first (dokku front-door:remove %[1]s), or choose another name", a.Name, old.Address)
	}
	d, err := meet(ctx, s.Doors(set).Pool, a)
	if err != nil {
		return d, err
	}
	store := func(set *app.Settings) error {
		if _, ok := set.FrontDoors[a.Name]; ok {
			return fmt.Errorf("another command has just added a front door %s", a.Name)
		}
		set.FrontDoors = app.Merged(set.FrontDoors, map[string]app.FrontDoor{a.Name: d})
		return nil
	}
	return d, change(ctx, s, store)
}

// meet asks the front door for its key, and finds both servers' addresses.
func meet(ctx context.Context, pool *doors.Pool, a Addition) (d app.FrontDoor, err error) {
	d = app.FrontDoor{Address: a.Address, Disabled: true}
	var want ssh.PublicKey
	if a.HostKey != "" {
		if want, err = doors.ParseKey(a.HostKey); err != nil {
			return d, err
		}
	}
	c, err := pool.Meet(ctx, a.Address, want)
	if err != nil {
		return d, err
	}
	if want != nil && !bytes.Equal(want.Marshal(), c.HostKey.Marshal()) {
		return d, fmt.Errorf("sshd at %s has the key %s, not %s: compare with ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub there",
			a.Address, ssh.FingerprintSHA256(c.HostKey), ssh.FingerprintSHA256(want))
	}
	back := c.Back
	if a.Back != "" {
		if back, err = netip.ParseAddr(a.Back); err != nil || back.Zone() != "" || back.IsUnspecified() {
			return d, fmt.Errorf("invalid address %.80q of this server: give the IP address at which the front door reaches it", a.Back)
		}
	}
	d.HostKey, d.From, d.Back = doors.Line(c.HostKey), c.From.String(), back.String()
	return d, nil
}

// change changes the settings, and makes this server's proxy believe what the front doors of
// the settings say about visitors.
func change(ctx context.Context, s *agent.Server, to func(*app.Settings) error) error {
	before, err := s.Settings()
	if err != nil {
		return err
	}
	if err := s.Env.Store.UpdateSettings(ctx, to); err != nil {
		return err
	}
	after, err := s.Settings()
	if err != nil {
		return err
	}
	same := true
	for _, name := range append(before.Doors(), after.Doors()...) {
		same = same && before.FrontDoors[name].From == after.FrontDoors[name].From
	}
	if same {
		return nil
	}
	after.FrontDoors = silent(after.FrontDoors) // only this server's proxy changes
	return s.Env.Proxy(after).Refresh(ctx)
}

// silent are the same front doors, all of them disabled.
func silent(all map[string]app.FrontDoor) map[string]app.FrontDoor {
	list := map[string]app.FrontDoor{}
	for name, d := range all {
		d.Disabled = true
		list[name] = d
	}
	return list
}

// Enable has all routes sent to a front door from now on, and returns once it serves them.
func Enable(ctx context.Context, s *agent.Server, name string, log event.Log) error {
	set, d, err := Find(s, name)
	if err != nil {
		return err
	}
	r, err := s.Doors(set).Look(ctx, name, d, true)
	if err != nil {
		return bare(err)
	}
	if len(r.Troubles) > 0 {
		return fmt.Errorf("front door %s cannot serve: %s", name, strings.Join(r.Troubles, "; "))
	}
	if !s.Doors(set).Away(name).IsZero() {
		if err := s.Doors(set).NoteBack(ctx, name); err != nil {
			return err
		}
	}
	if err := setDisabled(ctx, s, name, false); err != nil {
		return err
	}
	return publish(ctx, s, name, log)
}

// bare takes the advice to disable a front door out of an error about one that is disabled.
func bare(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(text)
}

// Disable has nothing sent to a front door any more. It goes on serving what it has.
func Disable(ctx context.Context, s *agent.Server, name string) error {
	if _, _, err := Find(s, name); err != nil {
		return err
	}
	return setDisabled(ctx, s, name, true)
}

func setDisabled(ctx context.Context, s *agent.Server, name string, disabled bool) error {
	return setDoor(ctx, s, name, func(d *app.FrontDoor) { d.Disabled = disabled })
}

// LeaveOut sets after how many seconds without an answer changes go on without a front door; 0:
// never.
func LeaveOut(ctx context.Context, s *agent.Server, name string, seconds int) error {
	if seconds != 0 && (seconds < app.MinLeaveOut || seconds > app.MaxLeaveOut) {
		return fmt.Errorf("invalid leave-out-after %d: use %d to %d seconds, or none for never", seconds, app.MinLeaveOut, app.MaxLeaveOut)
	}
	return setDoor(ctx, s, name, func(d *app.FrontDoor) { d.LeaveOut = seconds })
}

func setDoor(ctx context.Context, s *agent.Server, name string, to func(*app.FrontDoor)) error {
	return s.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error {
		d, ok := set.FrontDoors[name]
		if !ok {
			return unknown(*set, name)
		}
		to(&d)
		set.FrontDoors = app.Merged(set.FrontDoors, map[string]app.FrontDoor{name: d})
		return nil
	})
}

// Remove forgets a front door. It goes on serving what it has.
func Remove(ctx context.Context, s *agent.Server, name string) error {
	set, _, err := Find(s, name)
	if err != nil {
		return err
	}
	err = change(ctx, s, func(set *app.Settings) error {
		left := map[string]app.FrontDoor{}
		for other, d := range set.FrontDoors {
			if other != name {
				left[other] = d
			}
		}
		if set.FrontDoors = left; len(left) == 0 {
			set.FrontDoors = nil
		}
		return nil
	})
	return errors.Join(err, s.Doors(set).Forget(name))
}

// Sync sends all routes to an enabled front door anew, and removes those that it has beside
// them.
func Sync(ctx context.Context, s *agent.Server, name string, log event.Log) error {
	set, d, err := Find(s, name)
	if err != nil {
		return err
	}
	if d.Disabled {
		return fmt.Errorf("front door %s is disabled: dokku front-door:enable %[1]s sends it all routes", name)
	}
	if err := s.Doors(set).Doubt(ctx, name); err != nil {
		return err
	}
	return publish(ctx, s, name, log)
}

// publish publishes the routes of all apps, each under its lock.
func publish(ctx context.Context, s *agent.Server, name string, log event.Log) error {
	set, d, err := Find(s, name)
	if err != nil {
		return err
	}
	r, err := s.Doors(set).Look(ctx, name, d, false)
	if err != nil {
		return err
	}
	// First, since a name that an app has here may belong to another one there.
	if err := prune(ctx, s, name, r.Apps); err != nil {
		return err
	}
	if err := s.Env.Proxy(set).Refresh(ctx); err != nil {
		return err
	}
	apps := routed(s)
	var g errgroup.Group
	g.SetLimit(parallel)
	errs := make([]error, len(apps))
	for i, app := range apps {
		g.Go(func() error {
			if err := s.PublishRoute(ctx, app, log.WithApp(app)); err != nil {
				errs[i] = fmt.Errorf("%s: %w", app, err)
			}
			return nil
		})
	}
	g.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("front door %s is enabled, but lacks routes; the agent will retry: %w", name, err)
	}
	return nil
}

// prune removes those routes of a front door that this server does not have. A route that is
// just being published counts as had, since its app is locked.
func prune(ctx context.Context, s *agent.Server, name string, have []string) error {
	own := routed(s)
	for _, other := range have {
		if slices.Contains(own, other) || app.ValidName(other) != nil {
			continue
		}
		l, ok, err := s.Env.Store.TryLock(other, "removing a route of a front door")
		if err != nil || !ok {
			continue
		}
		err = pruneOne(ctx, s, name, other)
		l.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func pruneOne(ctx context.Context, s *agent.Server, name, app string) error {
	set, d, err := Find(s, name)
	if err != nil {
		return err
	}
	if _, ok, err := s.Env.Proxy(set).Live(ctx, app); ok || err != nil {
		return err
	}
	return s.Doors(set).Remove(ctx, name, d, app)
}
