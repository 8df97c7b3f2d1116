package letsencrypt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// Enable orders certificates for an app now, and has the agent renew them. The app needs a
// domain that a CA can give a certificate for, and, to be proved by HTTP, the proxy's main
// port: it gets a mapping for it. An app that has not been deployed yet gets its certificates
// after its first deploy.
func (o *Orderer) Enable(ctx context.Context, name string, ask Ask, log event.Log) error {
	log = log.WithApp(name)
	v, err := o.Server.View(name)
	if err != nil {
		return err
	}
	if err := orderable(v); err != nil {
		return err
	}
	log.Result("Enabling letsencrypt for %s", name)
	err = o.Server.Update(ctx, name, deploy.Op{Name: "letsencrypt:enable", Changes: deploy.ChangesRoute}, log, func(st *app.State) error {
		st.EnableACME(true)
		if !v.ProvesByDNS() {
			st.AddPort("http", v.Settings.Nginx.Port)
		}
		st.AddPort("https", v.Settings.Nginx.TLSPort)
		return nil
	})
	if err != nil {
		return err
	}
	if !v.Served() {
		log.Detail("%s has not been deployed yet: it gets its certificate after its first deploy", name)
		return nil
	}
	return o.orderNow(ctx, name, ask, log)
}

// orderNow orders for a person who waits, and says what came of it.
func (o *Orderer) orderNow(ctx context.Context, name string, ask Ask, log event.Log) error {
	made, err := o.Order(ctx, name, ask, log)
	v, verr := o.Server.View(name)
	if verr != nil {
		return errors.Join(err, verr)
	}
	orders, verr := o.Server.Env.Store.Orders(name)
	if verr != nil {
		return errors.Join(err, verr)
	}
	_, refused := v.ACMENames()
	for _, r := range refused {
		log.Warn("%s gets no certificate: %s", r.Domain, r.Reason)
	}
	if err != nil {
		return o.explain(ctx, v, orders, err, log)
	}
	if made == 0 {
		return waiting(v, orders, log)
	}
	for _, url := range o.Server.Env.URLsOf(v) {
		log.Detail("%s", url)
	}
	log.Step("Done")
	return nil
}

// waiting says why nothing was ordered: all is good, or the CA's pause has not ended.
func waiting(v app.View, orders app.Orders, log event.Log) error {
	for name, f := range orders.Failures {
		if time.Now().Before(f.Until) {
			return fmt.Errorf("cannot order yet: %s; the CA takes orders again at %s", &Error{v.Name, name, &acme.Problem{Name: name, Type: f.Type, Detail: f.Detail}}, When(f))
		}
	}
	log.Step("Certificate is still valid for %s, skipping certificate request", v.Name)
	log.Step("Pass --force to letsencrypt:enable to request a new certificate anyway")
	return nil
}

// orderable refuses an app for whose names no certificate can be ordered.
func orderable(v app.View) error {
	on := v.State.Clone()
	on.EnableACME(true)
	switch names, refused := v.With(on).ACMENames(); {
	case v.State.ProxyDisabled:
		return fmt.Errorf("cannot order a certificate for %s, which does not use the proxy: dokku proxy:enable %[1]s", v.Name)
	case v.State.DomainsDisabled:
		return fmt.Errorf("cannot order a certificate for %s, whose domains are disabled: dokku domains:enable %[1]s", v.Name)
	case len(v.Domains()) == 0:
		return fmt.Errorf("cannot order a certificate for %s, which has no domain: dokku domains:add %[1]s DOMAIN", v.Name)
	case len(names) > 0:
		return nil
	case len(refused) == 0:
		//lint:ignore ST1005 the plugin's message
		return fmt.Errorf("No domains detected for %s: dokku domains:add %[1]s DOMAIN", v.Name)
	default:
		var list []string
		for _, r := range refused {
			list = append(list, fmt.Sprintf("%s: %s", r.Domain, r.Reason))
		}
		return fmt.Errorf("cannot order a certificate for any domain of %s (%s): add a public domain, or this server's address: dokku domains:add %[1]s DOMAIN",
			v.Name, strings.Join(list, "; "))
	}
}

// explain prints what failed and what to do, and returns the error that ends the command.
func (o *Orderer) explain(ctx context.Context, v app.View, orders app.Orders, err error, log event.Log) error {
	known := failures(err)
	for _, e := range known {
		log.Warn("%s", e)
		f := orders.Failures[e.Name]
		if advice := Advice(ctx, o.resolver(), v, e.Name, f); advice != "" {
			log.Detail("%s", advice)
		}
		if f.Count > 0 && !v.Settings.RenewalOff() {
			log.Detail("The agent tries again at %s; after a change, try at once: dokku letsencrypt:enable %s", When(f), v.Name)
		}
	}
	if len(known) == 0 {
		return err
	}
	//lint:ignore ST1005 the plugin's message
	return fmt.Errorf("Certificate retrieval failed for %s", v.Name)
}

// failures returns the failures of names in an error.
func failures(err error) []*Error {
	var list []*Error
	switch e := err.(type) {
	case nil:
	case *Error:
		list = append(list, e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			list = append(list, failures(one)...)
		}
	default:
		list = failures(errors.Unwrap(err))
	}
	return list
}

// Disable ends the orders for an app, also those that the server's property auto makes, and
// removes the certificates that a CA issued.
func (o *Orderer) Disable(ctx context.Context, name, op string, log event.Log) error {
	log = log.WithApp(name)
	return o.Server.Env.With(ctx, name, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, log, func(x *deploy.Session) error {
		err := x.Update(ctx, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, func(st *app.State) error {
			st.EnableACME(false)
			st.Issued = nil
			return nil
		})
		o.Server.Env.Store.SweepCertificates(name, x.State.Own()...)
		return err
	})
}

// Revoke tells the CA that an app's certificates are not to be trusted any more, and
// disables the app.
func (o *Orderer) Revoke(ctx context.Context, name string, log event.Log) error {
	l, err := o.Server.Env.Store.LockOrders(ctx, name, log)
	if err != nil {
		return err
	}
	defer l.Release()
	v, err := o.Server.View(name)
	if err != nil {
		return err
	}
	for _, c := range v.State.Issued {
		p, err := o.Server.CertificateOf(name, &c)
		if err != nil {
			return err
		}
		at := v.State.Clone()
		at.Letsencrypt = app.Merged(at.Letsencrypt, map[string]string{app.ACMEServer: c.Authority})
		err = o.client(v.With(at)).Revoke(ctx, p)
		for _, p := range Problems(err) {
			if p.Type == "alreadyRevoked" {
				err = nil
			}
		}
		if err != nil {
			//lint:ignore ST1005 the plugin's message
			return fmt.Errorf("Certificate revocation failed: %w", err)
		}
		log.Step("Certificate revoked successfully.")
	}
	return o.Disable(ctx, name, "letsencrypt:revoke", log)
}

// Cleanup removes the files of an app's former certificates, which each change of its
// certificates does too.
func (o *Orderer) Cleanup(ctx context.Context, name string, log event.Log) error {
	return o.Server.Env.With(ctx, name, deploy.Op{Name: "letsencrypt:cleanup"}, log, func(x *deploy.Session) error {
		o.Server.Env.Store.SweepCertificates(name, x.State.Own()...)
		return nil
	})
}
