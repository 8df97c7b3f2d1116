package watch

import (
	"context"
	"time"

	"dokku/agent/certs/acme"
	"dokku/agent/letsencrypt"
)

const (
	// certificateTick is the interval at which the agent looks for changed settings and due
	// orders of certificates.
	certificateTick = 2 * time.Second
	// certificateRetry is the pause after an error that has left no trace of its own.
	certificateRetry = 5 * time.Minute
	// outagePause is how long no app asks a CA that could not be reached.
	outagePause = time.Minute
)

// A renewer orders and renews the apps' certificates, one at a time.
type renewer struct {
	*Controller
	orders *letsencrypt.Orderer
	apps   map[string]*scheduled
	down   map[string]time.Time // CAs that could not be reached or want a pause, until when nobody asks
}

// scheduled is when an app's certificates are due. Its loss costs one more look.
type scheduled struct {
	settings string // at the last look
	// changed is when the agent saw them change.
	changed time.Time
	due     time.Time // zero: never
}

func newRenewer(w *Controller) *renewer {
	return &renewer{Controller: w, orders: &letsencrypt.Orderer{Server: w.Server}, apps: map[string]*scheduled{}, down: map[string]time.Time{}}
}

func (r *renewer) run(ctx context.Context) {
	t := time.NewTicker(certificateTick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.look(ctx)
		}
	}
}

// look orders what is due, unless letsencrypt:cron-job switched that off.
func (r *renewer) look(ctx context.Context) {
	set, err := r.Server.Env.Store.Settings()
	if err != nil || set.RenewalOff() {
		return
	}
	names, err := r.Server.Env.Store.Apps()
	if err != nil {
		return
	}
	for _, name := range names {
		if ctx.Err() == nil && r.due(name) {
			r.order(ctx, name)
		}
	}
}

// due reports whether an app's certificates have to be looked at now. It reads the settings
// of an app only after a change.
func (r *renewer) due(name string) bool {
	a := r.apps[name]
	if a == nil {
		a = &scheduled{}
		r.apps[name] = a
	}
	if settings := r.Server.Env.Store.OrdersDepend(name); settings != a.settings {
		a.settings, a.changed = settings, time.Now()
		a.due = r.next(name)
	}
	return !a.due.IsZero() && !a.due.After(time.Now())
}

func (r *renewer) next(name string) time.Time {
	next, err := r.orders.Next(name, r.apps[name].changed)
	if err != nil {
		return time.Now().Add(certificateRetry)
	}
	return next
}

// order orders an app's certificates. It leaves an app alone that is locked, since its lock
// would keep the other apps waiting, and one whose CA could not be reached just now.
func (r *renewer) order(ctx context.Context, name string) {
	v, err := r.Server.View(name)
	if err != nil {
		return // it was destroyed
	}
	if time.Now().Before(r.down[v.Directory()]) || r.Server.Env.Store.LockInUse(name) {
		return
	}
	log := r.log.WithApp(name)
	_, err = r.orders.Order(ctx, name, letsencrypt.Ask{Changed: r.apps[name].changed}, log)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		log.Warn("certificates of %s: %s", name, err)
	}
	for _, p := range letsencrypt.Problems(err) {
		switch {
		case p.Type == acme.TypeUnreachable:
			r.down[v.Directory()] = time.Now().Add(outagePause)
		case p.Name == "" && p.Until.After(time.Now()):
			r.down[v.Directory()] = p.Until // it wants no order of the account
		}
	}
	// Settings that changed meanwhile, also by the order itself, are seen at the next look.
	a := r.apps[name]
	a.due = r.next(name)
	if !a.due.IsZero() && !a.due.After(time.Now()) && !r.Server.Env.Store.LockInUse(name) {
		a.due = time.Now().Add(certificateRetry) // what was just tried says it is due: something else is wrong
	}
}
