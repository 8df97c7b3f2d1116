package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proxy"
	"dokku/agent/repo"
)

// settle runs the agent until nothing is left to do, replaces the processes of renamed
// apps, and reads all apps.
func (c *crowd) settle() {
	c.t.Helper()
	l := c.member(*crowdClients)
	look := func() {
		apps, err := l.server.Env.Store.Apps()
		for _, app := range apps {
			_, done, terr := l.server.TryReconcile(context.Background(), app, false, event.Log{})
			if err = errors.Join(err, terr); !done {
				err = errors.Join(err, fmt.Errorf("the lock of %s is held, or git has yet to decide", app))
			}
		}
		if err != nil {
			c.t.Fatalf("the agent cannot reconcile: %v", err)
		}
	}
	for range 3 {
		look()
	}
	for _, app := range crowdNames {
		if a, err := l.server.Env.Store.Load(app); err == nil && a.State.Renamed != nil && a.Current != nil {
			l.do(agenttest.Command{Verb: "ps:restart", App: app})
		}
	}
	for range 3 {
		look()
	}
	for _, app := range crowdNames {
		l.do(agenttest.Command{Verb: agenttest.Read, App: app})
	}
}

// atRest checks that exactly the resources of the apps exist (I2, I3, I5), and that no
// command left anything behind.
func (c *crowd) atRest() {
	c.t.Helper()
	ctx, s := context.Background(), c.member(0).server
	rest := map[string]bool{} // resources that no app has accounted for
	o, err := c.engine.Observe(ctx, "")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, i := range o.Instances {
		rest[fmt.Sprintf("%s v%d running=%v", i.Name, i.Release, i.Running())] = true
	}
	for _, n := range o.Networks {
		rest["network "+n.App] = true
	}
	for _, i := range o.Images {
		for _, tag := range i.Tags {
			rest["image "+tag] = true
		}
		if len(i.Tags) == 0 {
			rest["image "+i.ID] = true
		}
	}
	for _, app := range crowdNames {
		r := &rig{machine: &machine{t: c.t, root: c.root, engine: c.engine, proxy: c.proxy, server: s}}
		if err := r.clean(app); err != nil {
			c.t.Error(err)
		}
		if err := c.accounted(app, rest); err != nil {
			c.t.Errorf("%s: %v", app, err)
		}
	}
	if len(rest) > 0 {
		c.t.Errorf("something belongs to no app: %v", slices.Sorted(maps.Keys(rest)))
	}
	left, _ := filepath.Glob(filepath.Join(c.root, ".dokku/trash/*"))
	entries, _ := os.ReadDir(c.root)
	for _, e := range entries {
		if e.Name() != ".dokku" && !slices.Contains(crowdNames, e.Name()) {
			left = append(left, e.Name())
		}
	}
	if len(left) > 0 {
		c.t.Errorf("left are %v", left)
	}
}

// accounted removes an app's resources from rest. It returns an error if some are
// missing or the app is not at rest.
func (c *crowd) accounted(name string, rest map[string]bool) error {
	ctx, s := context.Background(), c.member(0).server
	live, published, _ := c.proxy.Live(ctx, name)
	a, err := s.Env.Store.Load(name)
	var none *app.NoAppError
	if errors.As(err, &none) && !published {
		return nil
	}
	if err != nil || a.Current == nil && published {
		return fmt.Errorf("published is %+v (%w)", live, err)
	}
	if st := a.State; st.Staged != nil || len(st.Retiring) > 0 || st.Renamed != nil || st.Destroying || st.Provisional {
		return fmt.Errorf("it is not at rest: %+v", st)
	}
	if p, err := s.Env.Store.Problem(name); p != nil || err != nil {
		return fmt.Errorf("a problem is recorded: %+v, %w", p, err)
	}
	if a.Current == nil {
		return nil
	}
	return c.deployed(a, live, rest)
}

// deployed is accounted for a deployed app.
func (c *crowd) deployed(a *app.App, live proxy.Route, rest map[string]bool) error {
	s := c.member(0).server
	if ref, err := repo.Ref(a.Dir, deploy.Heads+"main"); err != nil || ref != a.Current.Revision {
		return fmt.Errorf("the ref says %s, v%d runs %s (%w)", ref, a.State.Current, a.Current.Revision, err)
	}
	set, serr := s.Env.Store.Settings()
	f, err := app.View{App: a, Settings: set}.FormationWith(a.State.Scale)
	releases, rerr := s.Env.Store.Releases(a.Name)
	if err = errors.Join(serr, err, rerr); err != nil || tooMany(releases) {
		return fmt.Errorf("%d releases (%w)", len(releases), err)
	}
	webs, processes, missing := 0, 0, []string{}
	account := func(what string) {
		if !rest[what] {
			missing = append(missing, what)
		}
		delete(rest, what)
	}
	for _, e := range f {
		for n := range e.Count {
			if !a.State.Stopped {
				account(fmt.Sprintf("%s.%s.%d v%d running=true", a.Name, e.Type, n+1, a.Current.Identity(e.Type).Release))
			}
			if processes++; e.Type == "web" {
				webs++
			}
		}
	}
	if !a.State.Stopped && processes > 0 {
		account("network " + a.Name)
	}
	// A stopped app keeps its containers; an app without processes keeps its network.
	maps.DeleteFunc(rest, func(what string, _ bool) bool {
		return what == "network "+a.Name || a.State.Stopped && strings.HasPrefix(what, a.Name+".") && strings.HasSuffix(what, "running=false")
	})
	for _, id := range slices.Compact(slices.Sorted(images(releases))) {
		account("image " + deploy.ImageTag(a.Name, id))
	}
	account("image " + engine.Latest(a.Name))
	if len(missing) > 0 {
		return fmt.Errorf("missing are %v of %+v", missing, f)
	}
	if !a.State.Stopped && (len(live.Upstreams) != webs || live.Release != a.State.Current) {
		return fmt.Errorf("v%d with %d web processes is published as %+v", a.State.Current, webs, live)
	}
	return nil
}

func images(releases []*app.Release) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, r := range releases {
			if !yield(r.Image) {
				return
			}
		}
	}
}
