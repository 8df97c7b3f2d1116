package deploy

import (
	"cmp"
	"fmt"
	"strings"

	"dokku/agent/app"
	"dokku/agent/event"
)

// SayHTTPS says for which domains of an app a certificate follows, and for which it has not
// come so far.
func (e *Env) SayHTTPS(v app.View, log event.Log) {
	orders, err := e.Store.Orders(v.Name)
	if err != nil {
		log.Warn("cannot read how the orders of certificates went: %s", err)
	}
	coming, failing := v.Coming(orders)
	if len(coming) > 0 {
		log.Detail("HTTPS for %s follows in a minute or so; if it does not: dokku letsencrypt:list", few(coming))
	}
	if len(failing) > 0 {
		f := cmp.Or(orders.Failures[failing[0]], orders.Failures[""])
		log.Detail("HTTPS for %s has not come so far (%s): dokku letsencrypt:list", few(failing), event.OneLine(f.Detail))
	}
}

// few names at most three.
func few(names []string) string {
	if more := len(names) - 3; more > 0 {
		names = append(names[:3:3], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, " ")
}
