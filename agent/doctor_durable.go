package agent

import "context"

// checkDurable looks whether git syncs what is pushed.
func (d *examination) checkDurable(app string) (list []Finding) {
	const check = "repository"
	lacks, err := lacking(d.Server.Store.dir(app), false)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	for _, g := range lacks {
		list = append(list, wrong(check, HealthWarning, "dokku doctor "+app+" --fix",
			"%s is not %s: when the power goes, git may lose what was just pushed", g.name(), g.value).
			fixed("harden "+app, func(context.Context) error { return d.hardenGit(app) }))
	}
	return list
}

// hardenGit makes git sync what is pushed, under the app's lock, unless somebody is at work there.
func (d *examination) hardenGit(app string) error {
	l, ok, err := d.Server.Store.tryLock(app, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.release()
	return harden(d.Server.Store.disk, d.Server.Store.dir(app), true)
}

// sweep removes what git has left, unless somebody is at work there.
func (d *examination) sweep(app string) error {
	l, ok, err := d.Server.Store.tryLock(app, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.release()
	return sweepRepository(d.Server.Store.dir(app), Owner{})
}
