package letsencrypt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/deploy"
	"dokku/agent/journal"
)

// errUnwanted says that the settings changed while the CA worked.
var errUnwanted = errors.New("the certificate is not used: letsencrypt was disabled in the meantime")

// keep stores a certificate that the CA has issued. Who holds the app's lock now need not
// be waited for, and a kill loses nothing: the CA counts what it issues.
func (r *run) keep(x app.Order, pair certs.Pair) error {
	c, err := r.Server.Env.Store.SaveCertificate(r.view.Name, pair)
	if err != nil {
		return err
	}
	c.Authority, c.NotBefore = r.view.Directory(), pair.Leaf.NotBefore.UTC()
	r.orders.Ready = &app.Ready{Certificate: *c}
	if x.Replaces != nil {
		r.orders.Ready.Replaces = x.Replaces.ID
	}
	return r.Server.Env.Store.SaveOrders(r.view.Name, r.orders)
}

// finish puts a certificate into force that a CA has issued, now or at an earlier look.
// The agent leaves it for later while the app's lock is held.
func (r *run) finish(ctx context.Context) error {
	ready := r.orders.Ready
	if ready == nil {
		return nil
	}
	c := &ready.Certificate
	_, err := r.Server.Env.Store.Certificate(r.view.Name, c)
	switch {
	case err != nil, c.Authority != r.view.Directory(), time.Now().After(c.NotAfter):
		r.orders.Ready = nil // whoever removed or replaced it wants another one
		return nil
	case !r.patient && r.Server.Env.Store.LockInUse(r.view.Name):
		return nil
	}
	switch err := r.install(ctx, *ready); {
	case errors.Is(err, errUnwanted):
		r.errs = append(r.errs, err)
	case err != nil:
		return err
	default:
		r.made++
		for _, n := range append(slices.Clone(c.Names), "") {
			delete(r.orders.Failures, n)
		}
		r.tell(journal.Event{Text: fmt.Sprintf("certificate for %s until %s", strings.Join(c.Names, ", "), c.NotAfter.UTC().Format(time.DateOnly))})
	}
	r.orders.Ready = nil
	return nil
}

// install publishes a certificate, if the app still wants one. It takes the place of the
// one that it replaces, unless that is still good for a name that the new one lacks.
func (r *run) install(ctx context.Context, ready app.Ready) error {
	name, o := r.view.Name, deploy.Op{Name: op, Changes: deploy.ChangesRoute}
	return r.Server.Env.With(ctx, name, o, r.log, func(s *deploy.Session) error {
		if !s.View().ACMEEnabled() {
			return errUnwanted
		}
		err := s.Update(ctx, o, func(st *app.State) error {
			if st.Certificate != nil { // it serves the names that the new one lacks
				st.Issued = append(st.Issued, *st.Certificate)
				st.Certificate = nil
			}
			st.Issued = issued(s.View().With(*st), ready, time.Now())
			st.ServeTLS(s.Settings.Nginx)
			return nil
		})
		r.Server.Env.Store.SweepCertificates(name, s.State.Own()...)
		r.view = s.View()
		return err
	})
}

// issued returns the certificates of an app after an order.
func issued(v app.View, ready app.Ready, now time.Time) []app.Certificate {
	c := ready.Certificate
	list := []app.Certificate{c}
	names, _ := v.ACMENames()
	covered := slices.Clone(c.Names)
	for _, old := range v.State.Issued {
		replaced := old.ID == ready.Replaces
		useful := slices.ContainsFunc(old.Names, func(n string) bool { return slices.Contains(names, n) && !slices.Contains(covered, n) })
		if old.ID == c.ID || !useful || replaced && now.After(old.NotAfter) {
			continue
		}
		list = append(list, old)
		covered = append(covered, old.Names...)
	}
	return list
}
