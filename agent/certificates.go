package agent

import (
	"context"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// SetCertificate makes a certificate that of an app; nil removes the app's. On an error
// the app keeps the former one.
func (s *Server) SetCertificate(ctx context.Context, name, op string, log event.Log, p *certs.Pair) error {
	return s.Env.With(ctx, name, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, log, func(x *deploy.Session) error {
		var c *app.Certificate
		if p != nil {
			var err error
			if c, err = s.Env.Store.SaveCertificate(name, *p); err != nil {
				return err
			}
		}
		err := x.Update(ctx, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, func(st *app.State) error {
			if st.ACMEAsked() || c == nil && len(st.Issued) > 0 {
				st.EnableACME(false) // whoever gives or removes one wants no other
			}
			st.Certificate, st.Issued = c, nil
			if c != nil {
				st.ServeTLS(x.Settings.Nginx)
			}
			return nil
		})
		s.Env.Store.SweepCertificates(name, x.State.Own()...)
		return err
	})
}

// SetGlobalCertificate makes a certificate that of the server; nil removes it. It serves
// the domains that it covers, of all apps, that have no certificate of their own.
func (s *Server) SetGlobalCertificate(ctx context.Context, op string, log event.Log, p *certs.Pair) error {
	var c *app.Certificate
	if p != nil {
		var err error
		if c, err = s.Env.Store.SaveCertificate("", *p); err != nil {
			return err
		}
	}
	err := s.SetRoutes(ctx, op, log, func(set *app.Settings) { set.Certificate = c })
	set, serr := s.Env.Store.Settings()
	if serr == nil {
		s.Env.Store.SweepCertificates("", set.Certificate)
	}
	return err
}

// CertificateOf returns the stored certificate of an app; "": that of the server.
func (s *Server) CertificateOf(name string, c *app.Certificate) (certs.Pair, error) {
	p, err := s.Env.Store.Certificate(name, c)
	switch {
	case err != nil && c.Authority != "":
		err = fmt.Errorf("%w: order it again with dokku letsencrypt:enable --force %s", err, name)
	case err != nil:
		err = fmt.Errorf("%w: give it again with dokku certs:update", err)
	}
	return p, err
}
