package doctor

import (
	"context"
	"strings"
	"time"

	"dokku/agent/app"
)

// expiresSoon is how long before its end a certificate is worth a warning: a person has
// to get the next one.
const expiresSoon = 14 * 24 * time.Hour

// certificateCheck is the name of the checks of certificates.
const certificateCheck = "certificate"

// checkCertificate reports an app's own certificate that browsers refuse, or soon will,
// and names that it is not valid for. An app without one has no finding.
func (d *examination) checkCertificate(a *app.App) []Finding {
	c := a.State.Certificate
	if c == nil {
		return nil
	}
	if list := d.expiry(a.Name, c, "dokku certs:update "+a.Name+" CRT KEY"); list != nil {
		return list
	}
	until := c.NotAfter.Format(time.DateOnly)
	if missing := (app.View{App: a, Settings: d.set}).Uncovered(); len(missing) > 0 {
		return fine(certificateCheck, "valid until %s, but not for %s", until, strings.Join(missing, " "))
	}
	return fine(certificateCheck, "valid until %s", until)
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
	case left < expiresSoon:
		return []Finding{wrong(certificateCheck, HealthWarning, update, "expires on %s", until)}
	}
	return nil
}
