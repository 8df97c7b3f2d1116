package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/proxy"
)

// settleRename carries out what a committed rename has left to the state, and
// drops what one that never was has left.
func (x *session) settleRename() {
	r := x.State.Renamed
	switch {
	case r == nil:
	case r.From == x.Name:
		x.change(func(st *State) { st.Renamed = nil })
	case r.Domains != nil:
		x.change(func(st *State) {
			st.Domains, st.Renamed = r.Domains, &Renamed{From: r.From, Redeploy: r.Redeploy}
		})
	}
}

// Rename gives an app another name, with all that it has: repository, releases,
// settings, images. The new name and the domains are answered at once, by the
// processes that run; then those are replaced, as ps:restart does, unless
// skipDeploy, by ones that carry the new name. Its own domains are answered at
// every moment; the one below a global domain changes with the name.
//
// The rename of the folder commits. A crash before leaves the old app as it was.
// After it, the new app serves with the containers of the old name, which the
// agent, or whoever works on the app next, replaces and removes.
func (s *Server) Rename(ctx context.Context, old, name string, skipDeploy bool, log event.Log) error {
	if err := ValidName(name); err != nil {
		return err
	}
	x, release, err := s.bothNames(ctx, old, name, log)
	if err != nil {
		return err
	}
	defer release()
	return x.rename(ctx, name, skipDeploy, log)
}

// bothNames takes the locks of both names, in the same order for everybody, and
// opens the app.
func (s *Server) bothNames(ctx context.Context, old, name string, log event.Log) (*session, func(), error) {
	for {
		if _, err := s.Load(old); err != nil {
			return nil, nil, err
		}
		var locks []*lock
		release := func() {
			for _, l := range locks {
				l.release()
			}
		}
		names := []string{old, name}
		slices.Sort(names)
		for _, n := range slices.Compact(names) {
			l, err := s.lockApp(ctx, n, "apps:rename", log)
			if err != nil {
				release()
				return nil, nil, err
			}
			locks = append(locks, l)
		}
		x, err := s.open(old, locks[0], log)
		if err == nil {
			return x, release, nil
		}
		release()
		if !errors.Is(err, errUndecided) {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

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

// nameFree refuses the name of an app that exists, or that has had this name and
// still has processes from then. The caller holds the name's lock.
func (s *Store) nameFree(name string) error {
	if _, err := os.Lstat(s.dir(name)); err == nil {
		if _, err := s.Load(name); err == nil {
			//lint:ignore ST1005 the text is Dokku's
			return fmt.Errorf("Name is already taken: app %s exists", name)
		}
		return fmt.Errorf("cannot create %s: %s is in the way and is not an app; move it away", name, s.dir(name))
	}
	now, err := s.nowCalled(name)
	if err == nil && now != "" {
		//lint:ignore ST1005 the text is Dokku's
		err = fmt.Errorf("Name is already taken: %s is called %s now: use that name, or free this one with ps:restart %[2]s "+
			"(processes from before the rename still run)", name, now)
	}
	return err
}

// nowCalled returns the app that still has something of its former name; "" when
// there is none.
func (s *Store) nowCalled(former string) (string, error) {
	apps, err := s.Apps()
	if err != nil {
		return "", err
	}
	for _, app := range apps {
		// What cannot be read keeps nobody else from a name.
		if a, err := s.Load(app); err == nil && a.former() == former {
			return app, nil
		}
	}
	return "", nil
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

// redeployRenamed replaces the processes that carry the former name. It is tried
// once: if new ones do not come up, those go on to serve.
func (x *session) redeployRenamed(ctx context.Context) error {
	r := x.State.Renamed
	if r == nil || !r.Redeploy {
		return nil
	}
	x.log.Step("Restarting app %s", x.Name)
	err := x.restart(ctx, "apps:rename", nil, func(*State) {})
	var rejected *rejection
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &rejected):
		return fmt.Errorf("%s is called %s now, and the processes that it had serve it, but they could not be replaced yet; "+
			"the agent goes on trying: %w", r.From, x.Name, err)
	}
	x.change(func(st *State) { st.Renamed = &Renamed{From: r.From} })
	return x.saveAnd(fmt.Errorf("%s is called %s now, and the processes that it had serve it: new ones did not come up: %w\n"+
		"To try again: ps:restart %[2]s", r.From, x.Name, err))
}

// observed is what exists of an app, under its former name too.
func observed(ctx context.Context, host engine.Engine, a *App) (engine.Observed, error) {
	o, err := host.Observe(ctx, a.Name)
	former := a.former()
	if former == "" || err != nil {
		return o, err
	}
	f, err := host.Observe(ctx, former)
	o.Instances = append(o.Instances, f.Instances...)
	slices.SortFunc(o.Instances, func(a, b engine.Instance) int { return cmp.Compare(a.Name, b.Name) })
	o.Networks = append(o.Networks, f.Networks...)
	o.Images = append(o.Images, f.Images...)
	return o, err
}

// live is the app's route, or the one of its former name until the new one takes
// its place.
func liveRoute(ctx context.Context, px proxy.Proxy, a *App) (proxy.Route, bool, error) {
	r, ok, err := px.Live(ctx, a.Name)
	if former := a.former(); former != "" && !ok && err == nil {
		return px.Live(ctx, former)
	}
	return r, ok, err
}

// forgetFormer ends a rename of which nothing is left to do.
func (x *session) forgetFormer(w World) {
	former := x.App.former()
	if former == "" || x.State.Renamed.Redeploy || w.Live != nil && w.Live.App == former {
		return
	}
	left := slices.ContainsFunc(w.Instances, func(i engine.Instance) bool { return i.App == former }) ||
		slices.ContainsFunc(w.Networks, func(n engine.Network) bool { return n.App == former }) ||
		slices.ContainsFunc(w.Images, func(i engine.Image) bool { return i.App == former })
	if !left {
		x.change(func(st *State) { st.Renamed = nil })
	}
}

// adopt gives an image of the former name one of the app's own. A crash in
// between leaves both, and the next converge goes on.
func (e *executor) adopt(ctx context.Context, id string) error {
	if err := e.host.Tag(ctx, id, imageTag(e.Name, id)); err != nil {
		return err
	}
	return e.host.Remove(ctx, engine.Resource{Kind: engine.ImageKind, ID: id, App: e.App.former()})
}

// imageTag is what an app's image is called. A name keeps docker image prune away
// from what is only kept. It is made from the id, so that an image never has a
// stale one.
func imageTag(app, id string) string {
	return engine.TagPrefix + app + ":" + strings.TrimPrefix(id, "sha256:")[:12]
}
