package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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

func (r *renaming) run(ctx context.Context, skipDeploy bool, log event.Log) error {
	x := r.session
	if err := r.allowed(); err != nil {
		return err
	}
	// No other app may claim the new default domain meanwhile.
	l, err := x.Env.Store.LockApp(ctx, store.DomainsLock, "apps:rename", x.Log)
	if err != nil {
		return err
	}
	defer l.Release()
	if r.domains, err = r.renamedDomains(); err != nil {
		return err
	}
	if x.Current != nil {
		if err := x.tidy(ctx); err != nil {
			return fmt.Errorf("cannot rename %s, which has not converged: %w", x.Name, err)
		}
		if err := r.stageRenamed(ctx); err != nil {
			return err
		}
	}
	if err := r.removeCaches(ctx); err != nil {
		return err
	}
	redeploy := x.Current != nil && !x.State.Stopped && !skipDeploy
	if err := r.commitName(&app.Renamed{From: x.Name, Domains: r.domains, Redeploy: redeploy}); err != nil {
		return err
	}
	x.base = log.WithApp(r.name)
	x.logRelease(x.State.Current)
	return r.finish(context.WithoutCancel(ctx))
}

// removeCaches removes what builds kept. It has the old name, under which another app may
// build one day. An app that nobody ever pushed needs no engine.
func (r *renaming) removeCaches(ctx context.Context) error {
	x := r.session
	_, err := os.Stat(x.Env.Store.FailedLog(x.Name))
	if x.Current == nil && len(x.Env.Store.DeployLogs(x.Name)) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	host, err := x.machine()
	if err != nil {
		return err
	}
	_, err = host.RemoveCaches(ctx, x.Name)
	return err
}

// allowed refuses a taken name, and an app whose last rename is not finished.
func (r *renaming) allowed() error {
	x := r.session
	if x.State.Destroying {
		return &app.DestroyingError{App: x.Name}
	}
	if former := x.App.Former(); former != "" {
		return fmt.Errorf("cannot rename %s yet: processes from when it was %s still run: try again once they have finished "+
			"(dokku ps:restart %[1]s replaces them)", x.Name, former)
	}
	return x.Env.Store.NameFree(r.name)
}

// renamedDomains returns the app's own domains under the new name. It refuses a domain
// that belongs to another app.
func (r *renaming) renamedDomains() ([]string, error) {
	x := r.session
	var own []string
	for _, d := range x.State.Domains {
		if base, ok := strings.CutPrefix(d, x.Name+"."); ok && (slices.Contains(x.Settings.Domains, base) || base == app.HostName()) {
			d = r.name + "." + base
		}
		if !slices.Contains(own, d) {
			own = append(own, d)
		}
	}
	asked := app.View{App: &app.App{Name: r.name, State: app.State{Domains: own, NoDomains: x.State.NoDomains, DomainsDisabled: x.State.DomainsDisabled}}, Settings: x.Settings}.Domains()
	if d, other, err := x.Env.Store.DomainTaken(x.Settings, asked, x.Name); err != nil {
		return nil, err
	} else if other != "" {
		return nil, &app.OwnedError{App: other, For: r.name, Domain: d,
			Text: fmt.Sprintf("cannot rename %s to %s: domain %s belongs to app %s: remove it there first (dokku domains:remove %[4]s %[3]s)", x.Name, r.name, d, other)}
	}
	return own, nil
}

// stageRenamed tests the route of the new name with the live upstreams.
func (r *renaming) stageRenamed(ctx context.Context) error {
	x := r.session
	a := &app.App{Name: r.name, Dir: x.Dir, State: x.State.Clone(), Current: x.Current}
	a.State.Domains, a.State.Renamed = r.domains, &app.Renamed{From: x.Name}
	return x.Env.StageLive(ctx, app.View{App: a, Settings: x.Settings})
}

// commitName renames the folder: the commit point.
func (r *renaming) commitName(to *app.Renamed) error {
	x := r.session
	x.Change(func(st *app.State) { st.Renamed = to })
	err := x.Save()
	if err == nil {
		err = x.Env.Store.At("rename the app's folder")
	}
	if err == nil {
		err = x.Env.Store.Disk.Rename(x.Dir, x.Env.Store.Dir(r.name))
	}
	if err != nil {
		x.Change(func(st *app.State) { st.Renamed = nil })
		return x.saveAnd(fmt.Errorf("cannot rename %s to %s: %w", x.Name, r.name, err))
	}
	x.Name, x.Dir = r.name, x.Env.Store.Dir(r.name)
	_ = failpoint.Reach(failpoint.NameCommitted)
	if err = x.Env.Store.At("sync the folder of all apps"); err == nil {
		err = x.Env.Store.Disk.Sync(x.Env.Store.Root)
	}
	if err != nil {
		return fmt.Errorf("%s is called %s now, but a power loss may bring back the old name; the agent will retry: %w", to.From, r.name, err)
	}
	return nil
}

// finish does the steps after the commit.
func (r *renaming) finish(ctx context.Context) error {
	x := r.session
	x.settleRename()
	if err := x.Converge(ctx, false); err != nil {
		return fmt.Errorf("%s is called %s now, but has not converged yet; the agent will retry: %w", x.App.Former(), x.Name, err)
	}
	if err := x.redeployRenamed(ctx); err != nil {
		return err
	}
	// Only an observation shows that no resource carries the former name any longer.
	if err := x.Converge(ctx, false); err != nil {
		return fmt.Errorf("%s has its new name, but some resources still carry the former one; the agent will retry: %w", x.Name, err)
	}
	return nil
}
