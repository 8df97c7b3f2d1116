package doctor

import (
	"time"

	"dokku/agent/app"
)

// expiresSoon is how long before its end a certificate is worth a warning: a person has
// to get the next one.
const expiresSoon = 14 * 24 * time.Hour

// checkCertificate reports an app's certificate that browsers refuse, or soon will, and
// names that it does not cover. An app without one has no finding.
func (d *examination) checkCertificate(a *app.App) []Finding {
	const check = "certificate"
	v := app.View{App: a, Settings: d.set}
	own := a.State.Certificate
	if own == nil {
		return nil
	}
	update := "dokku certs:update " + a.Name + " CRT KEY"
	if _, err := d.Server.Env.Store.Certificate(a.Name, own); err != nil {
		return []Finding{wrong(check, HealthProblem, update, "%s", err)}
	}
	now := time.Now()
	switch {
	case now.After(own.NotAfter):
		return []Finding{wrong(check, HealthProblem, update, "expired on %s: browsers refuse it", own.NotAfter.Format(time.DateOnly))}
	case own.NotAfter.Sub(now) < expiresSoon:
		return []Finding{wrong(check, HealthWarning, update, "expires on %s", own.NotAfter.Format(time.DateOnly))}
	}
	if missing := v.Uncovered(); len(missing) > 0 && len(v.Certificates()) > 0 {
		return fine(check, "valid until %s; without one: %s", own.NotAfter.Format(time.DateOnly), missing[0])
	}
	return fine(check, "valid until %s", own.NotAfter.Format(time.DateOnly))
}
