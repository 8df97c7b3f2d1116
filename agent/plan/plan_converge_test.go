package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dokku/agent/engine"
	"dokku/agent/proxy"
)

// TestPlanConverges applies plans to random observations until the plan is empty. No
// prefix of the steps publishes a route to an instance that does not run, or ends a
// published one.
func TestPlanConverges(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		d, w := randomDesired(r), randomObservation(r)
		if r.IntN(2) == 0 {
			onSwarm(r, &d, &w)
		}
		for round := 0; ; round++ {
			steps := Plan(d, w)
			if len(steps) == 0 {
				break
			}
			if round == 4 {
				t.Fatalf("seed %d: still not converged: %v", seed, steps)
			}
			for n, s := range steps {
				if err := apply(&d, &w, s); err != nil {
					t.Fatalf("seed %d, round %d, step %d of %v: %v", seed, round, n, steps, err)
				}
			}
			w.Now = w.Now.Add(2 * time.Minute)
		}
	}
}

func randomDesired(r *rand.Rand) Desired {
	var procs []string
	for i := range r.IntN(4) {
		procs = append(procs, fmt.Sprint("web.", i+1))
	}
	for i := range r.IntN(3) {
		procs = append(procs, fmt.Sprint("worker.", i+1))
	}
	d := want(2, procs...)
	if r.IntN(4) == 0 {
		for n := range d.Want {
			d.Want[n].Alone = d.Want[n].Type == "worker"
		}
	}
	d.StartEnded, d.MostRetiring = true, r.IntN(3)
	d.Stopped = r.IntN(5) == 0
	d.Retiring = map[string]time.Time{}
	if r.IntN(4) == 0 {
		d.Route = nil
		for i := range d.Want {
			if d.Want[i].Type == "web" {
				d.Want[i].HostPort = 20000 + i
			}
		}
	}
	if r.IntN(2) == 0 {
		d.Retiring["c0"] = testNow.Add(time.Duration(r.IntN(4)-1) * time.Minute)
	}
	return d
}

func randomObservation(r *rand.Rand) Observation {
	w := observation(0, nil)
	var live []int
	used := map[string]bool{}
	for n := range r.IntN(8) {
		v, typ, index := 1+r.IntN(3), []string{"web", "worker"}[r.IntN(2)], 1+r.IntN(3)
		i := running(fmt.Sprint("c", n), fmt.Sprintf("shop.%s.%d", typ, index), v, 10+n)
		if used[i.Name] {
			i.Name += fmt.Sprint(".n", n)
		}
		used[i.Name] = true
		if r.IntN(4) == 0 {
			i.Status = []engine.Status{engine.StatusExited, engine.StatusCreated}[r.IntN(2)]
		}
		i.Restarts, i.Policy.Max = r.IntN(3), r.IntN(3)
		i.Started = testNow.Add(-time.Duration(r.IntN(3)) * HealthyTime)
		if i.Type == "web" && r.IntN(2) == 0 {
			live = append(live, 10+n)
		} else if i.Type == "web" && r.IntN(2) == 0 {
			i.HostPort = 20000 + index - 1
		}
		w.Instances = append(w.Instances, i)
	}
	if len(live) > 0 {
		w.Live = &proxy.Route{App: "shop", Release: 1 + r.IntN(2), Upstreams: upstreams(live...)}
	}
	w.Images = []engine.Image{{ID: "img1"}, {ID: "img2"}}
	w.Networks = []engine.Network{testNetwork}
	return w
}

// apply applies a step to the observation. It returns an error for a forbidden state.
func apply(d *Desired, w *Observation, s Step) error {
	find := func(id string) *engine.Instance {
		for n := range w.Instances {
			if w.Instances[n].ID == id {
				return &w.Instances[n]
			}
		}
		return nil
	}
	if ends := s.Action == ActRetire || s.Action == ActYield; ends && find(s.ID) == nil {
		return nil // its group has ended
	}
	if i := find(s.ID); s.Count > 0 || i != nil && i.Placed() {
		return applyPlaced(d, w, s)
	}
	switch s.Action {
	case ActStart:
		for _, i := range w.Instances {
			_, retiring := d.Retiring[i.ID]
			rival := i.Type == s.Process.Type && (i.Release != d.Release || retiring) && i.Status != engine.StatusExited
			if rival && (s.Process.Alone || i.Release > d.Release) {
				return fmt.Errorf("%s beside %s", s, i.Name)
			}
		}
		if i := find(s.ID); i != nil {
			i.Status = engine.StatusRunning
			return nil
		}
		for _, i := range w.Instances {
			if i.Name == s.Name || i.Address == s.Address || i.Running() && i.HostPort != 0 && i.HostPort == s.Process.HostPort {
				return fmt.Errorf("%s: %s is in the way", s, i.Name)
			}
		}
		i := running(fmt.Sprintf("s%d-%s", len(w.Instances), s.Address), s.Name, d.Release, 0)
		i.Type, i.Index, i.HostPort, i.Address = s.Process.Type, s.Process.Index, s.Process.HostPort, s.Address
		w.Instances = append(w.Instances, i)
	case ActFree, ActStop:
		find(s.ID).Status = engine.StatusExited
	case ActRetire, ActYield:
		if s.Action == ActRetire && !d.Stopped && find(s.ID).Running() && Routed(w.Live, *find(s.ID)) {
			return fmt.Errorf("%s ends what is published", s)
		}
		for n := range w.Instances {
			if w.Instances[n].ID == s.ID {
				w.Instances = append(w.Instances[:n:n], w.Instances[n+1:]...)
				break
			}
		}
	case ActPublish:
		for _, u := range s.Route.Upstreams {
			ok := false
			for _, i := range w.Instances {
				ok = ok || i.Running() && i.Reach(int(u.Port())) == u && i.Release == d.Release
			}
			if !ok {
				return fmt.Errorf("%s: nothing runs at %s", s, u)
			}
		}
		w.Live = s.Route
	case ActWithdraw:
		w.Live = nil
	case ActMark, ActDeadline:
		for _, id := range s.IDs {
			d.Retiring[id] = time.Time{}
			if s.Action == ActDeadline {
				d.Retiring[id] = w.Now.Add(time.Minute)
			}
		}
	case ActForget:
		for _, id := range s.IDs {
			delete(d.Retiring, id)
		}
	case ActReset:
		find(s.ID).Restarts = 0
	case ActRename:
		for _, i := range w.Instances {
			if i.Name == s.Name {
				return fmt.Errorf("%s: the name is taken", s)
			}
		}
		find(s.ID).Name = s.Name
	case ActTag:
		for n := range w.Images {
			w.Images[n].Tags = nil
			if w.Images[n].ID == s.ID {
				w.Images[n].Tags = []string{s.Name}
			}
		}
	case ActRemove:
		w.Images, w.Networks = dropImage(w.Images, s.ID), dropNetwork(w.Networks, s.ID)
	}
	return nil
}

func dropImage(list []engine.Image, id string) (out []engine.Image) {
	for _, i := range list {
		if i.ID != id {
			out = append(out, i)
		}
	}
	return out
}

func dropNetwork(list []engine.Network, id string) (out []engine.Network) {
	for _, n := range list {
		if n.ID != id {
			out = append(out, n)
		}
	}
	return out
}
