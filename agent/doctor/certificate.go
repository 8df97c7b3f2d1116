package doctor

import (
	"context"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/letsencrypt"
)

// expiresSoon is how long before its end a certificate is worth a warning: a person has
// to get the next one.
const expiresSoon = 14 * 24 * time.Hour

// overdue is the part of its life that an ordered certificate has left when it is worth a
// warning: the agent should have renewed it when a third was left.
const overdue = 5

// certificateCheck is the name of the checks of certificates.
const certificateCheck = "certificate"

// checkCertificate reports an app's own certificate that browsers refuse, or soon will,
// and names that it is not valid for. An app without one has no finding.
func (d *examination) checkCertificate(a *app.App) []Finding {
	v := app.View{App: a, Settings: d.set}
	list := d.checkOrders(v)
	until := time.Time{}
	for _, c := range a.State.Own() {
		update := "dokku certs:update " + a.Name + " CRT KEY"
		if c.Authority != "" {
			update = "dokku letsencrypt:enable " + a.Name
		}
		if found := d.expiry(a.Name, c, update); found != nil {
			return append(found, list...)
		}
		if until.IsZero() || c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	if len(list) > 0 || len(a.State.Own()) == 0 {
		return list
	}
	if missing := v.Uncovered(); len(missing) > 0 {
		return fine(certificateCheck, "valid until %s, but not for %s", until.Format(time.DateOnly), strings.Join(missing, " "))
	}
	return fine(certificateCheck, "valid until %s", until.Format(time.DateOnly))
}

// checkOrders reports the names for which a CA gave no certificate, in its words.
func (d *examination) checkOrders(v app.View) []Finding {
	orders, err := d.Server.Env.Store.Orders(v.Name)
	if err != nil {
		return []Finding{wrong(certificateCheck, HealthProblem, "rm "+d.Server.Env.Store.File(v.Name, "letsencrypt.json"), "%s", err)}
	}
	var list []Finding
	for _, line := range letsencrypt.Troubles(v, orders) {
		list = append(list, wrong(certificateCheck, HealthWarning, "dokku letsencrypt:enable "+v.Name+" tries at once, and says what to do",
			"%s", strings.TrimPrefix(line, v.Name+": ")))
	}
	return list
}

// checkServerCertificate is checkCertificate for the server's certificate.
func (d *examination) checkServerCertificate(context.Context) []Finding {
	c := d.set.Certificate
	if c == nil {
		return nil
	}
	if list := d.expiry("", c, "dokku certs:update --global CRT KEY"); list != nil {
		return list
	}
	return fine(certificateCheck, "valid until %s for %s", c.NotAfter.Format(time.DateOnly), strings.Join(c.Names, " "))
}

// expiry reports a certificate of an app ("": of the server) that cannot be read, is
// expired or soon will be; nil for any other.
func (d *examination) expiry(name string, c *app.Certificate, update string) []Finding {
	if _, err := d.Server.Env.Store.Certificate(name, c); err != nil {
		return []Finding{wrong(certificateCheck, HealthProblem, update, "%s", err)}
	}
	until := c.NotAfter.Format(time.DateOnly)
	switch left := time.Until(c.NotAfter); {
	case left <= 0:
		return []Finding{wrong(certificateCheck, HealthProblem, update, "expired on %s: browsers refuse it", until)}
	case c.Authority == "" && left < expiresSoon, c.Authority != "" && left < c.NotAfter.Sub(c.NotBefore)/overdue:
		return []Finding{wrong(certificateCheck, HealthWarning, update, "expires on %s", until)}
	}
	return nil
}
