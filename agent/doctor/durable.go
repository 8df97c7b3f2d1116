package doctor

import (
	"context"

	"dokku/agent/proc"
	"dokku/agent/repo"
)

// checkDurable looks whether git syncs what is pushed.
func (d *Examination) checkDurable(app string) (list []Finding) {
	const check = "repository"
	lacks, err := repo.Lacking(d.Server.Env.Store.Dir(app), false)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	for _, g := range lacks {
		list = append(list, wrong(check, HealthWarning, "dokku doctor "+app+" --fix",
			"%s is not %s: when the power goes, git may lose what was just pushed", g.Name(), g.Value).
			fixed("harden "+app, func(context.Context) error { return d.hardenGit(app) }))
	}
	return list
}

// hardenGit makes git sync what is pushed, under the app's lock, unless somebody is at work there.
func (d *Examination) hardenGit(app string) error {
	l, ok, err := d.Server.Env.Store.TryLock(app, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.Release()
	return repo.Harden(d.Server.Env.Store.Disk, d.Server.Env.Store.Dir(app), true)
}

// sweep removes what git has left, unless somebody is at work there.
func (d *Examination) sweep(app string) error {
	l, ok, err := d.Server.Env.Store.TryLock(app, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.Release()
	return repo.Sweep(d.Server.Env.Store.Dir(app), proc.Owner{})
}
