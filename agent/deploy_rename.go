package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/event"
	"dokku/agent/failpoint"
)

func (x *session) rename(ctx context.Context, name string, skipDeploy bool, log event.Log) error {
	if err := x.renamable(name); err != nil {
		return err
	}
	// Nobody may claim the new default domain meanwhile.
	l, err := x.lockApp(ctx, domainsLock, "apps:rename", x.log)
	if err != nil {
		return err
	}
	defer l.release()
	domains, err := x.renamedDomains(name)
	if err != nil {
		return err
	}
	if x.Current != nil {
		if err := x.tidy(ctx); err != nil {
			return fmt.Errorf("cannot rename %s, which is not what it should be: %w", x.Name, err)
		}
		if err := x.stageRenamed(ctx, name, domains); err != nil {
			return err
		}
	}
	redeploy := x.Current != nil && !x.State.Stopped && !skipDeploy
	if err := x.commitName(name, &Renamed{From: x.Name, Domains: domains, Redeploy: redeploy}); err != nil {
		return err
	}
	x.base = log.WithApp(name)
	x.about(x.State.Current)
	return x.finishRename(context.WithoutCancel(ctx))
}

// renamable refuses names that are taken, and an app that is not done with its
// last rename.
func (x *session) renamable(name string) error {
	if x.State.Destroying {
		return fmt.Errorf("App %s is being destroyed; to finish: apps:destroy %[1]s --force", x.Name)
	}
	if former := x.App.former(); former != "" {
		return fmt.Errorf("cannot rename %s yet: processes from when it was %s still run: try again once they have finished "+
			"(ps:restart %[1]s replaces them)", x.Name, former)
	}
	return x.nameFree(name)
}

// renamedDomains are the app's own domains under another name, of which none may
// belong to another app.
func (x *session) renamedDomains(name string) ([]string, error) {
	var own []string
	for _, d := range x.State.Domains {
		if base, ok := strings.CutPrefix(d, x.Name+"."); ok && slices.Contains(x.settings.Domains, base) {
			d = name + "." + base
		}
		if !slices.Contains(own, d) {
			own = append(own, d)
		}
	}
	asked := View{&App{Name: name, State: State{Domains: own, DomainsDisabled: x.State.DomainsDisabled}}, x.settings}.Domains()
	if d, other, err := x.domainTaken(x.settings, asked, x.Name); err != nil {
		return nil, err
	} else if other != "" {
		return nil, fmt.Errorf("cannot rename %s to %s: domain %s belongs to app %s: remove it there first (domains:remove %[4]s %[3]s)",
			x.Name, name, d, other)
	}
	return own, nil
}

// stageRenamed tests the route of the new name with the processes that serve.
func (x *session) stageRenamed(ctx context.Context, name string, domains []string) error {
	a := &App{Name: name, Dir: x.Dir, State: x.State.clone(), Current: x.Current}
	a.State.Domains, a.State.Renamed = domains, &Renamed{From: x.Name}
	return (&session{Env: x.Env, App: a, settings: x.settings, log: x.log}).stageLive(ctx)
}

// commitName renames the folder.
func (x *session) commitName(name string, r *Renamed) error {
	x.change(func(st *State) { st.Renamed, st.Provisional = r, false })
	err := x.save()
	if err == nil {
		err = x.at("rename the app's folder")
	}
	if err == nil {
		err = x.disk.Rename(x.Dir, x.dir(name))
	}
	if err != nil {
		x.change(func(st *State) { st.Renamed = nil })
		return x.saveAnd(fmt.Errorf("cannot rename %s to %s: %w", x.Name, name, err))
	}
	x.Name, x.Dir = name, x.dir(name)
	_ = failpoint.Reach(failpoint.NameCommitted)
	if err = x.at("sync the folder of all apps"); err == nil {
		err = x.disk.Sync(x.Root)
	}
	if err != nil {
		return fmt.Errorf("%s is called %s now, but a power loss may bring back the old name; the agent goes on trying: %w", r.From, name, err)
	}
	return nil
}

// finishRename does what follows the commit.
func (x *session) finishRename(ctx context.Context) error {
	x.settleRename()
	if err := x.converge(ctx, false); err != nil {
		return fmt.Errorf("%s is called %s now, but not everything follows yet; the agent goes on trying: %w", x.App.former(), x.Name, err)
	}
	if err := x.redeployRenamed(ctx); err != nil {
		return err
	}
	// What nothing carries any longer is found by looking.
	if err := x.converge(ctx, false); err != nil {
		return fmt.Errorf("%s is called that now, but what has its former name is not all gone; the agent goes on trying: %w", x.Name, err)
	}
	return nil
}
