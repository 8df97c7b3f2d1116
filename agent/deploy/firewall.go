package deploy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/engine"
	"dokku/agent/firewall"
)

// FirewallFile has what Filter did last.
const FirewallFile = "firewall.json"

// Filtering is the content of FirewallFile. It is a copy of what root's part has: its loss costs
// one more call.
type Filtering struct {
	Rules firewall.Rules `json:"rules"`
	// Bridges are the interfaces of the networks that are filtered, by the networks' names.
	Bridges map[string]string `json:"bridges,omitempty"`
	// Failed says why the rules may not be in the kernel; "": they are.
	Failed string `json:"failed,omitempty"`
	// Missing: root's part is not installed.
	Missing bool `json:"missing,omitempty"`
}

// Filtering returns what Filter did last; the zero value: nothing yet.
func (e *Env) Filtering() (f Filtering) {
	if data, err := os.ReadFile(e.Store.Own(FirewallFile)); err == nil && json.Unmarshal(data, &f) != nil {
		f = Filtering{}
	}
	return f
}

// Filters reports whether the containers of an app are kept from the host's ports, as far as the
// last call of Filter knows.
func (f Filtering) Filters(name string) bool {
	return f.Failed == "" && f.Bridges[engine.NetworkName(name)] != ""
}

// excepts reports whether containers on a network are not filtered: the address of one that is
// gone must not become that of another one.
func (f Filtering) excepts(network string) bool {
	return slices.ContainsFunc(f.Rules.Bridges, func(b firewall.Bridge) bool { return b.Name == f.Bridges[network] && len(b.Except) > 0 })
}

// starting is a release whose containers start before it is current.
type starting struct {
	app     string
	release *app.Release
}

// Filter has the firewall's rules follow the apps and the engine's networks. It calls root's
// part only for other rules than the last ones, or always with anew. Without a Filter it does
// nothing. Calls of several processes take turns.
func (e *Env) Filter(ctx context.Context, host engine.Networks, anew bool) error {
	return e.filter(ctx, host, anew, nil)
}

func (e *Env) filter(ctx context.Context, host engine.Networks, anew bool, next *starting) error {
	set, err := e.Store.Settings()
	if err != nil || e.Firewall == nil {
		return err
	}
	to := e.Firewall(set)
	if to == nil {
		return nil
	}
	lock, err := disk.OpenLock(e.Store.Own("locks", "_firewall"), 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := disk.WaitLock(ctx, lock, disk.Exclusive); err != nil {
		return err
	}
	last := e.Filtering()
	f, err := e.wanted(ctx, host, set, next)
	if err != nil {
		return err
	}
	if !anew && last.Failed == "" && same(last, f) {
		return nil
	}
	// A server without such an app needs no rules, and so no part of root's.
	if err = to.Apply(ctx, f.Rules); errors.Is(err, firewall.ErrMissing) && len(f.Rules.Bridges) == 0 {
		err = nil
	}
	if err != nil {
		f.Failed, f.Missing = err.Error(), errors.Is(err, firewall.ErrMissing)
	}
	data, jerr := json.MarshalIndent(f, "", "  ")
	if jerr == nil && !same(last, f) {
		jerr = disk.ReplaceUnsynced(e.Store.Own(FirewallFile), data)
	}
	return errors.Join(err, jerr)
}

func same(a, b Filtering) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// wanted returns the rules for the present apps, networks and containers, and those that start.
func (e *Env) wanted(ctx context.Context, host engine.Networks, set app.Settings, next *starting) (f Filtering, err error) {
	w := filterWork{web: map[uint16]bool{}, bridges: map[string]*firewall.Bridge{}}
	if w.networks, err = host.AllNetworks(ctx); err != nil {
		return f, err
	}
	if w.members, err = host.Members(ctx); err != nil {
		return f, err
	}
	names, err := e.Store.Apps()
	if err != nil {
		return f, err
	}
	w.web[uint16(cmp.Or(set.Nginx.Port, 80))], w.web[uint16(cmp.Or(set.Nginx.TLSPort, 443))] = true, true
	var views []app.View
	for _, name := range names {
		a, err := e.Store.Load(name)
		if err != nil {
			continue // its running containers stay filtered by their label
		}
		v := app.View{App: a, Settings: set}
		views = append(views, v)
		w.addWeb(v)
		filtered, r := v.Filtered(), v.Current
		if next != nil && next.app == name {
			filtered, r = next.release.Filtered(), next.release
		}
		if filtered {
			w.add(v, r)
		}
	}
	for _, m := range w.members {
		if m.Filtered && (next == nil || next.app != m.App || next.release.Filtered()) {
			w.bridge(m.Network)
		}
	}
	if set.FiltersBuilds() {
		w.bridge(buildNetwork)
	}
	w.except()
	for _, v := range views {
		w.open(v)
	}
	return w.filtering(), nil
}

// filterWork is what rules are made of.
type filterWork struct {
	networks []engine.NetworkInfo
	members  []engine.Member
	web      map[uint16]bool
	bridges  map[string]*firewall.Bridge // by the network's name
}

// addWeb adds the ports at which an app is served.
func (w *filterWork) addWeb(v app.View) {
	for _, m := range v.Ports() {
		w.web[uint16(m.Host)] = true
	}
	if !v.State.ProxyDisabled {
		return
	}
	f, err := v.FormationWith(v.State.Scale)
	if err != nil {
		return
	}
	for _, p := range processes(v, nil, f, true) {
		if p.HostPort != 0 {
			w.web[uint16(p.HostPort)] = true
		}
	}
}

// bridge adds the bridge of a network, if it has one, to those that are filtered.
func (w *filterWork) bridge(network string) {
	i := slices.IndexFunc(w.networks, func(n engine.NetworkInfo) bool { return n.Name == network && n.Bridge != "" })
	if i >= 0 && w.bridges[network] == nil {
		w.bridges[network] = &firewall.Bridge{Name: w.networks[i].Bridge}
	}
}

// add adds the networks of an app: its own, and those that the release joins.
func (w *filterWork) add(v app.View, r *app.Release) {
	w.bridge(engine.NetworkName(v.Name))
	if r == nil {
		return
	}
	for _, name := range joins(r) {
		w.bridge(name)
	}
}

// joins are the names of the networks that the containers of a release join.
func joins(r *app.Release) []string {
	list := slices.Clone(r.Networks)
	for _, link := range r.Links {
		list = append(list, engine.NetworkName(link.Owner()))
	}
	return list
}

// buildNetwork is the engine's network that steps of builds have, beside other programs' containers.
const buildNetwork = "bridge"

// except excepts the containers that are not isolated.
func (w *filterWork) except() {
	for _, m := range w.members {
		if b := w.bridges[m.Network]; b != nil && !m.Filtered && !m.Build {
			b.Except = append(b.Except, m.Addresses...)
		}
	}
}

// open opens what an app's settings open, for its own containers alone.
func (w *filterWork) open(v app.View) {
	o := firewall.Opening{Ports: v.State.HostPorts(), Metadata: v.State.Network[app.NetworkMetadata] == "true"}
	if len(o.Ports) == 0 && !o.Metadata {
		return
	}
	owners := []string{v.Name}
	if r := v.State.Renamed; r != nil { // its containers may have the former name
		owners = append(owners, r.From)
	}
	var own []string
	for _, name := range owners {
		network := engine.NetworkName(name)
		if b := w.bridges[network]; b != nil && !slices.Contains(own, network) {
			b.Open = append(b.Open, o)
		}
		own = append(own, network)
	}
	for _, m := range w.members {
		b := w.bridges[m.Network]
		if b == nil || !slices.Contains(owners, m.App) || !m.Filtered || slices.Contains(own, m.Network) {
			continue
		}
		for _, a := range m.Addresses {
			if o.From = a; a.Is4() {
				b.Open = append(b.Open, o)
			}
		}
	}
}

// filtering returns the result, in an order that the same facts always give.
func (w *filterWork) filtering() Filtering {
	f := Filtering{Bridges: map[string]string{}}
	f.Rules.Web = slices.Sorted(maps.Keys(w.web))
	f.Rules.Bridges = []firewall.Bridge{}
	for _, name := range slices.Sorted(maps.Keys(w.bridges)) {
		b := w.bridges[name]
		slices.SortFunc(b.Except, netip.Addr.Compare)
		slices.SortFunc(b.Open, func(x, y firewall.Opening) int { return x.From.Compare(y.From) })
		b.Except = slices.Compact(b.Except)
		f.Rules.Bridges, f.Bridges[name] = append(f.Rules.Bridges, *b), b.Name
	}
	for _, n := range w.networks {
		if n.Bridge != "" && !strings.HasPrefix(n.Bridge, firewall.Ours) && !slices.Contains(f.Rules.Engine, n.Bridge) {
			f.Rules.Engine = append(f.Rules.Engine, n.Bridge)
		}
	}
	slices.Sort(f.Rules.Engine)
	return f
}

// FilterStart has the firewall know of containers of a release before they start, and again after
// that: on shared networks, the engine chooses their addresses meanwhile. Where nothing can
// have changed it costs one look into a file.
func (e *Env) FilterStart(ctx context.Context, host engine.Networks, a *app.App, r *app.Release, after bool) error {
	if e.Firewall == nil || r == nil || r.OnSwarm() {
		return nil
	}
	last := e.Filtering()
	if last.Missing {
		return nil // the agent looks again
	}
	own, shared := last.Bridges[engine.NetworkName(a.Name)] != "", len(joins(r)) > 0
	opens := len(a.State.HostPorts()) > 0 || a.State.Network[app.NetworkMetadata] == "true"
	switch {
	case after && shared && (opens || !r.Filtered()):
	case after:
		return nil
	case r.Filtered() == own && !shared && last.Failed == "" && !last.excepts(engine.NetworkName(a.Name)):
		return nil
	}
	return e.filter(ctx, host, false, &starting{a.Name, r})
}

// filterBuild is filter for the steps of a build, and returns the network for the containers of
// buildpacks; "": the engine's default one. An app that builds apart from the engine has them on
// its own network, where they reach what its processes reach: BuildKit cannot run buildpacks.
func (x *Session) filterBuild(ctx context.Context, r *app.Release) (network string) {
	own, _ := x.View().OwnBuilder()
	apart := own && x.View().Filtered()
	if !apart && !x.Settings.FiltersBuilds() {
		return ""
	}
	host, err := x.machine()
	switch {
	case err != nil:
	case apart:
		if _, err = host.Network(ctx, x.Name); err == nil {
			network = engine.NetworkName(x.Name)
			err = x.Env.FilterStart(ctx, host, x.App, r, false)
		}
	default:
		err = x.Env.Filter(ctx, host, false)
	}
	if err != nil && ctx.Err() == nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		x.warn(fmt.Sprintf("The build of %s may reach ports of this server: %s; see dokku doctor", x.Name, text))
	}
	return network
}

// filter is FilterStart. An app does not depend on it: without the rules its containers start
// all the same, and doctor says so.
func (x *Session) filter(ctx context.Context, host engine.Networks, r *app.Release, after bool) {
	err := x.Env.FilterStart(ctx, host, x.App, r, after)
	if err == nil || errors.Is(err, firewall.ErrMissing) || ctx.Err() != nil {
		return
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	x.warn(fmt.Sprintf("The containers of %s may reach ports of this server: %s; see dokku doctor", x.Name, text))
}
