package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/store"
)

// A renaming gives an app another name.
type renaming struct {
	session *Session
	name    string   // the new one
	domains []string // the app's own, under the new name
}

// Rename gives the app another name. The caller also holds the new name's lock. The
// rename of the folder commits.
func (x *Session) Rename(ctx context.Context, name string, skipDeploy bool, log event.Log) error {
	return (&renaming{session: x, name: name}).run(ctx, skipDeploy, log)
}

func (x *renaming) run(ctx context.Context, skipDeploy bool, log event.Log) error {
	if err := x.allowed(); err != nil {
		return err
	}
	// No other app may claim the new default domain meanwhile.
	l, err := x.session.Env.Store.LockApp(ctx, store.DomainsLock, "apps:rename", x.session.Log)
	if err != nil {
		return err
	}
	defer l.Release()
	if x.domains, err = x.renamedDomains(); err != nil {
		return err
	}
	if x.session.Current != nil {
		if err := x.session.tidy(ctx); err != nil {
			return fmt.Errorf("cannot rename %s, which has not converged: %w", x.session.Name, err)
		}
		if err := x.stageRenamed(ctx); err != nil {
			return err
		}
	}
	redeploy := x.session.Current != nil && !x.session.State.Stopped && !skipDeploy
	if err := x.commitName(&app.Renamed{From: x.session.Name, Domains: x.domains, Redeploy: redeploy}); err != nil {
		return err
	}
	x.session.base = log.WithApp(x.name)
	x.session.logRelease(x.session.State.Current)
	return x.finish(context.WithoutCancel(ctx))
}

// allowed refuses a taken name, and an app whose last rename is not finished.
func (x *renaming) allowed() error {
	if x.session.State.Destroying {
		return fmt.Errorf("App %s is being destroyed; to finish: apps:destroy %[1]s --force", x.session.Name)
	}
	if former := x.session.App.Former(); former != "" {
		return fmt.Errorf("cannot rename %s yet: processes from when it was %s still run: try again once they have finished "+
			"(ps:restart %[1]s replaces them)", x.session.Name, former)
	}
	return x.session.Env.Store.NameFree(x.name)
}

// renamedDomains returns the app's own domains under the new name. It refuses a domain
// that belongs to another app.
func (x *renaming) renamedDomains() ([]string, error) {
	var own []string
	for _, d := range x.session.State.Domains {
		if base, ok := strings.CutPrefix(d, x.session.Name+"."); ok && slices.Contains(x.session.Settings.Domains, base) {
			d = x.name + "." + base
		}
		if !slices.Contains(own, d) {
			own = append(own, d)
		}
	}
	asked := app.View{App: &app.App{Name: x.name, State: app.State{Domains: own, DomainsDisabled: x.session.State.DomainsDisabled}}, Settings: x.session.Settings}.Domains()
	if d, other, err := x.session.Env.Store.DomainTaken(x.session.Settings, asked, x.session.Name); err != nil {
		return nil, err
	} else if other != "" {
		return nil, fmt.Errorf("cannot rename %s to %s: domain %s belongs to app %s: remove it there first (domains:remove %[4]s %[3]s)",
			x.session.Name, x.name, d, other)
	}
	return own, nil
}

// stageRenamed tests the route of the new name with the live upstreams.
func (x *renaming) stageRenamed(ctx context.Context) error {
	a := &app.App{Name: x.name, Dir: x.session.Dir, State: x.session.State.Clone(), Current: x.session.Current}
	a.State.Domains, a.State.Renamed = x.domains, &app.Renamed{From: x.session.Name}
	return x.session.Env.stageLive(ctx, app.View{App: a, Settings: x.session.Settings})
}

// commitName renames the folder: the commit point.
func (x *renaming) commitName(r *app.Renamed) error {
	x.session.Change(func(st *app.State) { st.Renamed, st.Provisional = r, false })
	err := x.session.Save()
	if err == nil {
		err = x.session.Env.Store.At("rename the app's folder")
	}
	if err == nil {
		err = x.session.Env.Store.Disk.Rename(x.session.Dir, x.session.Env.Store.Dir(x.name))
	}
	if err != nil {
		x.session.Change(func(st *app.State) { st.Renamed = nil })
		return x.session.saveAnd(fmt.Errorf("cannot rename %s to %s: %w", x.session.Name, x.name, err))
	}
	x.session.Name, x.session.Dir = x.name, x.session.Env.Store.Dir(x.name)
	_ = failpoint.Reach(failpoint.NameCommitted)
	if err = x.session.Env.Store.At("sync the folder of all apps"); err == nil {
		err = x.session.Env.Store.Disk.Sync(x.session.Env.Store.Root)
	}
	if err != nil {
		return fmt.Errorf("%s is called %s now, but a power loss may bring back the old name; the agent will retry: %w", r.From, x.name, err)
	}
	return nil
}

// finish does the steps after the commit.
func (x *renaming) finish(ctx context.Context) error {
	x.session.settleRename()
	if err := x.session.Converge(ctx, false); err != nil {
		return fmt.Errorf("%s is called %s now, but has not converged yet; the agent will retry: %w", x.session.App.Former(), x.session.Name, err)
	}
	if err := x.session.redeployRenamed(ctx); err != nil {
		return err
	}
	// Only an observation shows that no resource carries the former name any longer.
	if err := x.session.Converge(ctx, false); err != nil {
		return fmt.Errorf("%s has its new name, but some resources still carry the former one; the agent will retry: %w", x.session.Name, err)
	}
	return nil
}
