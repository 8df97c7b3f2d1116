package plan

import (
	"cmp"
	"slices"
	"time"

	"dokku/agent/engine"
)

// ShortRetire is the longest wait to retire of processes above Desired.MostRetiring: the
// default, in which a browser's requests end.
const ShortRetire = time.Minute

// crowded returns the ids of the processes above MostRetiring that would retire for longer
// than ShortRetire: the oldest. begun are those whose wait has just begun. A process that the
// swarm has placed counts with its group, which ends as a whole.
func (p *planner) crowded(begun []string) (ids []string) {
	if p.d.MostRetiring == 0 {
		return nil
	}
	long := slices.DeleteFunc(slices.Clone(p.w.Instances), func(i engine.Instance) bool {
		due := p.d.Retiring[i.ID]
		return !p.waits(i) || !due.After(p.w.Now.Add(ShortRetire)) && !slices.Contains(begun, i.ID)
	})
	if len(long) <= p.d.MostRetiring {
		return nil
	}
	slices.SortStableFunc(long, func(a, b engine.Instance) int {
		return cmp.Or(cmp.Compare(b.Release, a.Release), b.Created.Compare(a.Created), cmp.Compare(a.Group, b.Group), cmp.Compare(a.ID, b.ID))
	})
	over := long[p.d.MostRetiring:]
	for _, i := range long {
		ends := func(o engine.Instance) bool { return o.ID == i.ID || i.Placed() && o.Group == i.Group }
		if slices.ContainsFunc(over, ends) {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
