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
func (r *Runner) CheckStored(st *app.State) (left []string, err error) {
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
				out, err := r.checkStored(*p, q, name, p.Get(st, name))
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

// CheckServerStored is CheckStored for the server's properties.
func (r *Runner) CheckServerStored(set *app.Settings) (left []string, err error) {
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
			out, err := r.checkStored(*p, p.List[n], name, values[key])
			if err != nil {
				return left, err
			}
			if out {
				delete(values, key)
				left = append(left, p.Noun+":set --global "+name)
			}
		}
	}
	return left, nil
}

// checkStored checks one value; out: it has to be taken out.
func (r *Runner) checkStored(p Properties, q Property, name, value string) (out bool, err error) {
	if value == "" {
		return false, nil
	}
	if q.Check != nil {
		if err := q.Check(value); err != nil {
			return false, fmt.Errorf("%s:set %s: %w", p.Noun, event.OneLine(name), err)
		}
	}
	return r.Env.User != "" && q.OnHost != nil && q.OnHost(name, value), nil
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
