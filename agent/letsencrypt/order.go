package letsencrypt

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/journal"
)

// Orderer orders certificates for the apps of a server.
type Orderer struct {
	Server *agent.Server
	// Resolver tells where names lead; nil: the system's.
	Resolver Resolver
}

func (o *Orderer) resolver() Resolver {
	if o.Resolver != nil {
		return o.Resolver
	}
	return net.DefaultResolver
}

// Ask says who asks for certificates, and how much.
type Ask struct {
	// By is the key's name, or the user, who agrees to the CA's terms. "" is the agent,
	// which waits until its pauses after failures end.
	By string
	// Force orders all certificates anew.
	Force bool
	// Changed is when the agent saw the settings change last.
	Changed time.Time
}

// op names the changes of an app in messages.
const op = "letsencrypt"

// A run is one look at an app, and the orders that it makes.
type run struct {
	*Orderer
	view   app.View
	orders app.Orders
	ca     acme.CA
	log    event.Log
	made   int
	errs   []error
	// patient: a certificate comes into force however long the app's lock is held.
	patient bool
	// refused: an order as a whole failed, so the CA takes no other now.
	refused bool
}

// Order orders the certificates of an app that are due, and renews those whose time has
// come. It returns how many it got. An error joins what failed; the others are in force.
func (o *Orderer) Order(ctx context.Context, name string, ask Ask, log event.Log) (made int, err error) {
	l, err := o.Server.Env.Store.LockOrders(ctx, name, log)
	if err != nil {
		return 0, err
	}
	defer l.Release()
	r := &run{Orderer: o, log: log.WithApp(name)}
	if r.view, err = o.Server.View(name); err != nil {
		return 0, err
	}
	if r.orders, err = o.Server.Env.Store.Orders(name); err != nil {
		return 0, err
	}
	if !r.view.Served() || !r.view.ACMEEnabled() {
		return 0, nil
	}
	return r.make(ctx, ask)
}

func (r *run) make(ctx context.Context, ask Ask) (int, error) {
	r.patient = ask.By != ""
	look := app.Look{Now: time.Now(), Changed: ask.Changed, Person: ask.By != "", Force: ask.Force}
	var err error
	if r.ca, err = r.authority(ctx, ask); err == nil {
		err = r.finish(ctx)
		r.advise(ctx, look.Now)
		due, _ := r.view.Due(r.orders, look)
		if err == nil && r.orders.Ready == nil && len(due) > 0 {
			err = r.publishChallenge(ctx)
		}
		for _, x := range due {
			if err != nil || ctx.Err() != nil || r.refused || r.orders.Ready != nil {
				break
			}
			r.order(ctx, x)
		}
		if r.made > 0 {
			r.advise(ctx, time.Now())
		}
	}
	if err != nil && ctx.Err() == nil {
		r.fail("", err)
	}
	names, _ := r.view.ACMENames()
	r.orders.Forget(names, r.view.State.Issued)
	if err := r.Server.Env.Store.SaveOrders(r.view.Name, r.orders); err != nil {
		r.errs = append(r.errs, err)
	}
	return r.made, errors.Join(append(r.errs, context.Cause(ctx))...)
}

// Config returns the configuration of the client for an app's CA.
func (o *Orderer) Config(v app.View) acme.Config {
	return acme.Config{Directory: v.Directory(), Bundle: v.ACME(app.ACMEBundle), Email: v.ACME(app.ACMEEmail),
		KeyID: v.ACME(app.ACMEKeyID), HMAC: v.ACME(app.ACMEHMAC),
		Accounts: o.Server.Env.Store.Accounts(), Disk: o.Server.Env.Store.Disk,
		Resolvers: strings.FieldsFunc(v.ACME(app.ACMEResolvers), func(r rune) bool { return r == ',' || r == ' ' }),
		DNS:       acme.DNS{Provider: v.DNSProvider(), Env: v.DNSVariables(), Persist: v.Persists()}}
}

func (o *Orderer) client(v app.View) acme.CA { return o.Server.CA(o.Config(v)) }

// authority returns the client of the app's CA. The first time, it notes the thumbprint of
// the account's key, which routes need, and that the terms were agreed to.
func (r *run) authority(ctx context.Context, ask Ask) (acme.CA, error) {
	ca := r.client(r.view)
	thumbprint, err := ca.Thumbprint()
	if err != nil {
		return nil, err
	}
	directory := r.view.Directory()
	known := r.view.Settings.Authorities[directory]
	if known.Thumbprint == thumbprint && !known.Agreed.IsZero() {
		return ca, nil
	}
	terms, err := ca.Terms(ctx)
	if err != nil {
		return nil, err
	}
	if terms != "" {
		r.log.Detail("This agrees to the terms of service of %s: %s", host(directory), terms)
	}
	known = app.Authority{Thumbprint: thumbprint, Terms: terms, Agreed: time.Now().UTC(), By: ask.By}
	err = r.Server.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error {
		all := map[string]app.Authority{directory: known}
		set.Authorities = app.Merged(set.Authorities, all)
		return nil
	})
	if err == nil {
		r.view, err = r.Server.View(r.view.Name)
	}
	return ca, err
}

// host is the name of a CA for people.
func host(directory string) string {
	if u, err := url.Parse(directory); err == nil && u.Host != "" {
		return u.Host
	}
	return directory
}

// publishChallenge makes nginx answer the CA's questions about the app's names. It fails
// where nginx takes no change now: a certificate could not be installed either, and each
// counts at the CA.
func (r *run) publishChallenge(ctx context.Context) error {
	changes, err := r.Server.Env.RouteChanges(ctx, r.view)
	if err == nil && !changes {
		return r.Server.Env.StageLive(ctx, r.view)
	}
	if err != nil {
		return err
	}
	same := func(*app.State) error { return nil }
	return r.Server.Update(ctx, r.view.Name, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, r.log, same)
}

// maxAdvice is the longest time until the CA is asked again. A later time was noted by a
// clock that was ahead.
const maxAdvice = 25 * time.Hour

// advise asks the CA when the present certificates are to be renewed. A CA that gives no
// answer now is asked again later: there is another rule.
func (r *run) advise(ctx context.Context, now time.Time) {
	for _, c := range r.view.State.Issued {
		if again := r.orders.Renewals[c.ID].Again; now.Before(again) && again.Before(now.Add(maxAdvice)) || c.Authority != r.view.Directory() || now.After(c.NotAfter) {
			continue
		}
		p, err := r.Server.Env.Store.Certificate(r.view.Name, &c)
		if err != nil {
			r.orders.Advise(&c, time.Time{}, time.Time{}, time.Time{}, now)
			continue // the doctor says it
		}
		w, err := r.ca.Renewal(ctx, p)
		if ctx.Err() != nil {
			return
		}
		r.orders.Advise(&c, w.Start, w.End, w.Again, now)
		if err == nil && w.Explanation != "" {
			r.log.Note("%s: the CA explains the time of renewal at %s", c.ID, w.Explanation)
		}
	}
}

// order makes one order and puts its certificate into force.
func (r *run) order(ctx context.Context, x app.Order) {
	r.say(x)
	request := acme.Order{Names: x.Names, Profile: r.view.ProfileFor(x.Names), Whole: x.Whole, DNSOnly: r.view.ProvesByDNS()}
	if x.Replaces != nil && x.Replaces.Authority == r.view.Directory() {
		if p, err := r.Server.Env.Store.Certificate(r.view.Name, x.Replaces); err == nil {
			request.Replaces = p.Leaf
		}
	}
	done := r.log.Timed("certificate")
	pair, problems, err := r.ca.Obtain(ctx, request)
	done(err)
	if ctx.Err() != nil && err != nil {
		return
	}
	for _, p := range problems {
		r.fail(p.Name, p)
	}
	if err != nil {
		r.failWhole(x, err)
		return
	}
	r.log.Step("Certificate retrieved successfully.")
	r.log.Step("Installing let's encrypt certificates")
	if err := r.keep(x, pair); err != nil {
		r.fail("", err)
		return
	}
	if err := r.finish(ctx); err != nil {
		r.fail("", err)
	}
}

func (r *run) say(x app.Order) {
	way := "HTTP-01"
	switch {
	case r.view.Persists():
		way = "DNS-PERSIST-01"
	case r.view.ProvesByDNS():
		way = "DNS-01"
	}
	r.log.Step("Getting letsencrypt certificate for %s via %s", r.view.Name, way)
	for _, n := range x.Names {
		r.log.Detail("- Domain '%s'", n)
	}
}

// failWhole notes an order without any certificate: for each name that the CA names, and
// what concerns all of it.
func (r *run) failWhole(x app.Order, err error) {
	list := Problems(err)
	for _, p := range list {
		if slices.Contains(x.Names, p.Name) {
			r.fail(p.Name, p)
		} else {
			r.fail("", p)
		}
	}
	if len(list) == 0 {
		r.fail("", err)
	}
}

// Problems returns the CA's problems in an error.
func Problems(err error) []*acme.Problem {
	var list []*acme.Problem
	switch e := err.(type) {
	case nil:
		return nil
	case *acme.Problem:
		return []*acme.Problem{e}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			list = append(list, Problems(one)...)
		}
	default:
		list = Problems(errors.Unwrap(err))
	}
	return list
}

// internalError is the type of a failure that is not the CA's.
const internalError = "internal"

// fail notes a failure of a name; "": of all of the order.
func (r *run) fail(name string, err error) {
	p := &acme.Problem{Type: internalError, Detail: event.OneLine(err.Error())}
	if list := Problems(err); len(list) > 0 {
		p = list[0]
	}
	r.refused = r.refused || name == ""
	now := time.Now()
	r.orders.Fail(name, p.Type, p.Detail, p.Until, now)
	if r.orders.Tells(name, now) {
		subject := "the certificate"
		if name != "" {
			subject += " for " + name
		}
		r.tell(journal.Event{Text: subject + " could not be ordered", Error: p.Detail})
	}
	r.errs = append(r.errs, &Error{App: r.view.Name, Name: name, Problem: p})
}

// tell records an event about certificates.
func (r *run) tell(e journal.Event) {
	e.Event, e.App = journal.Renew, r.view.Name
	r.Server.Env.Tell(e, r.log)
}

// Next returns when an app's certificates are due, whose settings changed last at changed;
// the zero time: never, while they stay as they are.
func (o *Orderer) Next(name string, changed time.Time) (time.Time, error) {
	v, err := o.Server.View(name)
	if err != nil || !v.Served() || !v.ACMEEnabled() {
		return time.Time{}, err
	}
	orders, err := o.Server.Env.Store.Orders(name)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	if orders.Ready != nil {
		return now, nil
	}
	due, next := v.Due(orders, app.Look{Now: now, Changed: changed})
	if len(due) > 0 {
		return now, nil
	}
	for _, c := range v.State.Issued {
		if c.Authority != v.Directory() || now.After(c.NotAfter) {
			continue
		}
		if again := orders.Renewals[c.ID].Again; again.IsZero() {
			return now, nil // the CA has not been asked yet
		} else if again.Before(next) {
			next = again
		}
	}
	return next, nil
}
