package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/event"
)

// CheckStored checks the properties of an app that no command of this server has stored, with
// the checks of NOUN:set. What only somebody on the server itself may set it takes out, if the
// call comes over ssh, and returns: "builder:set allow-from".
// set are the server's settings. An isolation below that of new apps is isolation:disable's.
func (r *Runner) CheckStored(set app.Settings, st *app.State) (left []string, err error) {
	if r.Env.User != "" && st.Isolation < app.IsolationNow {
		st.Isolation = app.IsolationNow
		left = append(left, "isolation:disable")
	}
	for _, p := range r.properties() {
		if p.Get == nil {
			continue
		}
		for _, q := range p.List {
			if q.OnlyServer {
				continue
			}
			names := []string{q.Name}
			if q.Prefix {
				names = nil
				if p.App != nil {
					names = slices.Sorted(maps.Keys(*p.App(st)))
				}
			}
			for _, name := range names {
				if !q.is(name) || q.Instead != "" {
					continue
				}
				out, err := r.checkStored(*p, q, set, name, p.Get(st, name))
				if err != nil {
					return left, err
				}
				if out {
					p.Put(st, name, "")
					left = append(left, p.Noun+":set "+name)
				}
			}
		}
	}
	return left, nil
}

// CheckServerStored is CheckStored for the server's properties. here are the settings that this
// server has. A key that no table has is an error: no command has stored it.
func (r *Runner) CheckServerStored(here app.Settings, set *app.Settings) (left []string, err error) {
	if err := r.unknownStored(set); err != nil {
		return nil, err
	}
	for _, p := range r.properties() {
		if p.Server == nil {
			continue
		}
		values := *p.Server(set)
		for _, key := range slices.Sorted(maps.Keys(values)) {
			name, ok := strings.CutPrefix(key, p.Stored)
			n := slices.IndexFunc(p.List, func(q Property) bool { return q.is(name) && !q.OnlyApp && q.Instead == "" })
			if !ok || n < 0 {
				continue
			}
			out, err := r.checkStored(*p, p.List[n], here, name, values[key])
			if err != nil {
				return left, err
			}
			if out || r.Env.User != "" && p.List[n].GlobalOnHost != "" {
				delete(values, key)
				left = append(left, p.Noun+":set --global "+name)
			}
		}
	}
	return left, nil
}

// checkStored checks one value; out: it has to be taken out.
func (r *Runner) checkStored(p Properties, q Property, set app.Settings, name, value string) (out bool, err error) {
	if value == "" {
		return false, nil
	}
	if q.Check != nil {
		if err := q.Check(value); err != nil {
			return false, fmt.Errorf("%s:set %s: %w", p.Noun, event.OneLine(name), err)
		}
	}
	if q.Within != nil {
		if err := q.Within(set, value); err != nil {
			return false, fmt.Errorf("%s:set %s: %w", p.Noun, event.OneLine(name), err)
		}
	}
	return r.Env.User != "" && q.OnHost != nil && q.OnHost(name, value), nil
}

// unknownStored returns an error for a key among the server's properties that NOUN:set --global
// of no noun stores. Several nouns share a map.
func (r *Runner) unknownStored(set *app.Settings) error {
	for _, p := range r.properties() {
		if p.Server == nil {
			continue
		}
		at := p.Server(set)
		for _, key := range slices.Sorted(maps.Keys(*at)) {
			if !slices.ContainsFunc(r.properties(), func(other *Properties) bool {
				if other.Server == nil || other.Server(set) != at {
					return false
				}
				name, ok := strings.CutPrefix(key, other.Stored)
				return ok && slices.ContainsFunc(other.List, func(q Property) bool { return q.is(name) && !q.OnlyApp })
			}) {
				return fmt.Errorf("server.json has the property %q, which no command stores for the server: remove it", event.OneLine(key))
			}
		}
	}
	return nil
}

// properties are the tables of all commands NOUN:set.
func (r *Runner) properties() (list []*Properties) {
	for _, group := range r.groups {
		for _, s := range group {
			if s.properties != nil {
				list = append(list, s.properties)
			}
		}
	}
	return list
}
