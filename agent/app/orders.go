package app

import (
	"slices"
	"strconv"
	"time"
)

// Orders is the content of dokku/letsencrypt.json: how the orders of an app's certificates
// went, and when the next ones are due. Its loss costs a few questions to the CA.
type Orders struct {
	Version int `json:"version"`
	// Failures are the names for which the last order failed; "": the order as a whole.
	Failures map[string]Failure `json:"failures,omitempty"`
	// Renewals are what the CA says about the issued certificates, by their ids.
	Renewals map[string]Renewal `json:"renewals,omitempty"`
	// Ready is a certificate that a CA has issued and that is not in force yet; nil: none.
	Ready *Ready `json:"ready,omitempty"`
}

// Ready is a certificate whose files are stored. It comes into force when the app's lock is
// free.
type Ready struct {
	Certificate Certificate `json:"certificate"`
	Replaces    string      `json:"replaces,omitempty"` // the id of Order.Replaces
}

// Failure says why a name has no new certificate.
type Failure struct {
	Type   string    `json:"type"`   // of acme.Problem
	Detail string    `json:"detail"` // the CA's own words
	Since  time.Time `json:"since"`  // of the first failure in a row
	Count  int       `json:"count"`
	Next   time.Time `json:"next"` // the agent's next try
	// Until is when the CA takes an order again, if it said so. People do not go before
	// that either.
	Until time.Time `json:"until,omitzero"`
	// Told is when an event said so last: see Tells.
	Told time.Time `json:"told,omitzero"`
}

const (
	// tellAgain is the pause between two events about one failure.
	tellAgain = 24 * time.Hour
	// tellOutage is how long a CA is not reached before an event says so: it may restart.
	tellOutage = time.Hour
)

// Tells reports whether an event is to say that a name failed; "": the whole order. The
// first failure counts, then one a day.
func (o *Orders) Tells(name string, now time.Time) bool {
	f, failed := o.Failures[name]
	if !failed || now.Sub(f.Told) < tellAgain || f.Type == unreachable && now.Sub(f.Since) < tellOutage {
		return false
	}
	f.Told = now
	o.Failures[name] = f
	return true
}

// Renewal is when a certificate is renewed by the CA's advice (ARI, RFC 9773).
type Renewal struct {
	At    time.Time `json:"at,omitzero"` // zero: the CA gives no advice
	Again time.Time `json:"again"`       // when the CA is asked again
}

const (
	// firstRetry is the pause after the first failure; it doubles up to lastRetry. Let's
	// Encrypt allows five failed validations of a name in an hour
	// (https://letsencrypt.org/docs/rate-limits/): this makes three.
	firstRetry = 10 * time.Minute
	lastRetry  = 24 * time.Hour
	// outageRetry is firstRetry where the CA could not be reached: that costs no quota.
	// longestOutageRetry is the longest pause then.
	outageRetry, longestOutageRetry = time.Minute, 30 * time.Minute
	// longestUntil is the longest pause that a CA may ask for.
	longestUntil = 31 * 24 * time.Hour
	// settling is how long an app's settings stay as they are before names are ordered:
	// people type several commands, and each order counts.
	settling = 3 * time.Second
	// usualAdvice is when a CA is asked again for its advice, if it does not say when (RFC
	// 9773, section 4.3.3), and soonestAdvice the soonest.
	usualAdvice, soonestAdvice = 6 * time.Hour, time.Minute
)

// unreachable is acme.Problem's type for a CA that does not answer.
const unreachable = "unreachable"

// Fail notes a failure of a name; "": of the whole order. until is when the CA takes an
// order again; zero where it did not say.
func (o *Orders) Fail(name, kind, detail string, until, now time.Time) {
	f := o.Failures[name]
	if f.Count == 0 {
		f.Since = now
	}
	if (f.Type == unreachable) != (kind == unreachable) {
		f.Count = 0 // another kind of pause
	}
	pause, longest := firstRetry, lastRetry
	if kind == unreachable {
		pause, longest = outageRetry, longestOutageRetry
	}
	for range min(f.Count, 20) {
		pause = min(2*pause, longest)
	}
	f.Count++
	f.Type, f.Detail, f.Until, f.Next = kind, detail, until, now.Add(pause)
	if until.After(f.Next) {
		f.Next = until
	}
	if o.Failures == nil {
		o.Failures = map[string]Failure{}
	}
	o.Failures[name] = f
}

// Forget removes what does not concern an app any more: failures of names that it does
// not have, and advice about certificates that it does not have.
func (o *Orders) Forget(names []string, issued []Certificate) {
	for n := range o.Failures {
		if n != "" && !slices.Contains(names, n) || len(names) == 0 {
			delete(o.Failures, n)
		}
	}
	for id := range o.Renewals {
		if !slices.ContainsFunc(issued, func(c Certificate) bool { return c.ID == id }) {
			delete(o.Renewals, id)
		}
	}
}

// An Order is one certificate of an app to order.
type Order struct {
	Names []string // what the certificate is to cover
	// Replaces is the present certificate; nil: there is none.
	Replaces *Certificate
	// Whole: a certificate without one of the names is worth nothing, since the present
	// one is as good, and each costs the quota of the CA.
	Whole bool
}

// group is the names of one certificate.
type group struct {
	names    []string
	replaces *Certificate
	surplus  bool // the present certificate has names that the app has no more
}

// groups distributes names among certificates. Names stay in the certificate that has
// them, so that a new name means one order. Addresses have certificates of their own,
// since theirs are short-lived.
func groups(names []string, issued []Certificate) []group {
	var list []group
	placed := map[string]bool{}
	for i := range issued {
		g := group{replaces: &issued[i]}
		for _, n := range g.replaces.Names {
			wanted := slices.Contains(names, n)
			g.surplus = g.surplus || !wanted
			if wanted && !placed[n] && len(g.names) < MaxNames {
				g.names, placed[n] = append(g.names, n), true
			}
		}
		if len(g.names) > 0 {
			list = append(list, g)
		}
	}
	for _, n := range names {
		if placed[n] {
			continue
		}
		room := slices.IndexFunc(list, func(g group) bool { return len(g.names) < MaxNames && IsAddress(g.names[0]) == IsAddress(n) })
		if room < 0 {
			list = append(list, group{})
			room = len(list) - 1
		}
		list[room].names = append(list[room].names, n)
	}
	return list
}

// Advise notes in which stretch of time the CA wants a certificate renewed: any moment of
// it, by the certificate's id, so that the renewals of many are spread. again is when the
// CA is to be asked again.
func (o *Orders) Advise(c *Certificate, start, end, again, now time.Time) {
	r := Renewal{At: o.Renewals[c.ID].At, Again: later(again, now.Add(soonestAdvice))}
	if again.IsZero() {
		r.Again = now.Add(usualAdvice)
	}
	if window := end.Sub(start); !start.IsZero() && window >= 0 {
		life := c.NotAfter.Sub(c.NotBefore)
		r.At = start.Add(time.Duration(float64(window) * c.spread()))
		// A stretch that goes on to the end would leave no time for a failure, and one that
		// has begun before the certificate would have it renewed again and again.
		r.At = earlier(r.At, c.NotAfter.Add(-life/6))
		r.At = later(r.At, c.soonest())
	}
	if o.Renewals == nil {
		o.Renewals = map[string]Renewal{}
	}
	o.Renewals[c.ID] = r
}

// soonest is the first moment at which a certificate is renewed.
func (c *Certificate) soonest() time.Time {
	return c.NotBefore.Add(min(c.NotAfter.Sub(c.NotBefore)/10, time.Hour))
}

// spread is a number from 0 to 1 by the certificate's id.
func (c *Certificate) spread() float64 {
	n, _ := strconv.ParseUint(c.ID[:min(4, len(c.ID))], 16, 16)
	return float64(n) / (1 << 16)
}

// A Look is one look at what an app's certificates need.
type Look struct {
	Now time.Time
	// Changed is when the settings changed last.
	Changed time.Time
	// Person: somebody asks. That does not wait until pauses end, only until the CA's do.
	Person bool
	// Force: order all, also what is not due.
	Force bool
}

// Due returns the orders to make now, and when the next one is due if no setting changes;
// zero: never.
func (v View) Due(o Orders, l Look) (orders []Order, next time.Time) {
	names, _ := v.ACMENames()
	for _, g := range groups(names, v.State.Issued) {
		x, at := v.order(g, o, l)
		if hold := o.held("", l); hold.After(at) {
			at = hold
		}
		switch {
		case len(x.Names) > 0 && !at.After(l.Now):
			orders = append(orders, x)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return orders, next
}

// order returns the order for a group, and when to make it.
func (v View) order(g group, o Orders, l Look) (x Order, at time.Time) {
	x.Replaces = g.replaces
	soon := l.Changed.Add(settling)
	if l.Person {
		soon = l.Changed
	}
	at = soon
	current := g.replaces != nil && g.replaces.Authority == v.Directory() && !l.Force
	if current {
		at = v.renewal(g.replaces, o)
		x.Whole = l.Now.Before(at)
	}
	if g.surplus {
		at = earlier(at, soon)
	}
	var added []string // that may be ordered
	var wait time.Time // a present name would fail until then, and with it the whole
	for _, n := range g.names {
		has := current && slices.Contains(g.replaces.Names, n)
		held := o.held(n, l)
		if !has {
			at = earlier(at, later(soon, held))
		} else {
			wait = later(wait, held)
		}
		if !has && !held.After(l.Now) {
			added = append(added, n)
		}
		if x.Whole && has || !held.After(l.Now) {
			x.Names = append(x.Names, n)
		}
	}
	switch {
	case len(x.Names) == 0:
		at = o.held(g.names[0], l)
		for _, n := range g.names {
			at = earlier(at, o.held(n, l))
		}
	case x.Whole && wait.After(l.Now) && len(added) > 0:
		return Order{Names: added}, at // a certificate of their own
	case x.Whole && wait.After(l.Now):
		at = later(at, wait)
	}
	return x, at
}

// held returns until when no order is made for a name; "": for any.
func (o Orders) held(name string, l Look) time.Time {
	f := o.Failures[name]
	if f.Until.After(l.Now.Add(longestUntil)) {
		f.Until = time.Time{}
	}
	if l.Person {
		return f.Until
	}
	if f.Next.After(later(l.Now.Add(lastRetry), f.Until)) {
		return f.Until // noted by a clock that was ahead
	}
	return f.Next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// renewal is when a certificate is renewed: when the CA says so, else when a third of its
// life is left. The property graceperiod makes it earlier. Certificates of one day are
// spread by their ids over a twentieth of their life.
func (v View) renewal(c *Certificate, o Orders) time.Time {
	life := c.NotAfter.Sub(c.NotBefore)
	at := o.Renewals[c.ID].At
	if at.IsZero() {
		at = c.NotAfter.Add(-life/3 - time.Duration(float64(life/20)*c.spread()))
	}
	if n, err := strconv.Atoi(v.ACME(ACMEGrace)); err == nil && time.Duration(n)*time.Second < life {
		at = earlier(at, c.NotAfter.Add(-time.Duration(n)*time.Second))
	}
	return later(at, c.soonest())
}

// Renewal is when the agent renews an app's certificate.
func (v View) Renewal(c *Certificate, o Orders) time.Time {
	at := v.renewal(c, o)
	for _, n := range append(slices.Clone(c.Names), "") {
		at = later(at, o.Failures[n].Next)
	}
	return at
}
