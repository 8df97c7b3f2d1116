package acme

import (
	"context"
	"crypto"
	"encoding/base64"
	"strings"

	lego "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"
)

// session is one operation at the CA.
type session struct {
	*Client
	core  *api.Core
	close func()
}

// agent is the User-Agent of requests, before lego's own (RFC 8555, section 6.1).
const agent = "dokku"

// connect asks for the CA's directory. Requests are signed with key, in the name of the
// account at url; "": of the key itself. The caller closes the session.
func (c *Client) connect(ctx context.Context, key crypto.Signer, url string) (*session, error) {
	if !strings.HasPrefix(c.Directory, "https://") {
		return nil, problemf(TypeSetup, "the CA's directory %q is no https:// URL", c.Directory)
	}
	t, err := c.transport(ctx)
	if err != nil {
		return nil, err
	}
	core, err := api.New(t.httpClient(), agent, c.Directory, url, key)
	if err != nil {
		t.CloseIdleConnections()
		return nil, ended(ctx, err)
	}
	return &session{Client: c, core: core, close: t.CloseIdleConnections}, nil
}

// ended returns the cause of the end of ctx, or the problem that err is.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return problemOf(err)
}

// registered calls f with a session of the account. It registers the account if it is new,
// and anew, with the same key, if the CA does not know it any more.
func (c *Client) registered(ctx context.Context, f func(*session) error) error {
	a, err := c.account()
	if err != nil {
		return err
	}
	again := a.URL != ""
	for {
		err := c.attempt(ctx, &a, f)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if p := problemOf(err); !again || p.Type != typeNoAccount {
			return err
		}
		again, a.URL = false, ""
	}
}

// attempt is one call of f. It leaves what it learns of the account in a.
func (c *Client) attempt(ctx context.Context, a *account, f func(*session) error) error {
	s, err := c.connect(ctx, a.key, a.URL)
	if err != nil {
		return err
	}
	defer s.close()
	switch {
	case a.URL == "":
		err = s.register(ctx, a)
	case c.Email != "" && c.Email != a.Email:
		err = s.update(ctx, a)
	}
	if err != nil {
		return ended(ctx, err)
	}
	return f(s)
}

// register makes the account, or finds the one of its key. A kill before it is stored
// makes the next register find it.
func (s *session) register(ctx context.Context, a *account) error {
	meta := s.core.GetDirectory().Meta
	req := lego.Account{TermsOfServiceAgreed: true, Contact: contact(s.Email)}
	var made lego.ExtendedAccount
	var err error
	switch {
	case s.KeyID != "":
		if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.HMAC, "=")); err != nil || s.HMAC == "" {
			return problemf(TypeSetup, "the HMAC key of the external account %q is no base64url: copy it again from the CA's web site", s.KeyID)
		}
		made, err = s.core.Accounts.NewEAB(ctx, req, s.KeyID, s.HMAC)
	case meta.ExternalAccountRequired:
		return problemf("externalAccountRequired", "this CA wants an account of its web site: set the key id and the HMAC key that it shows for ACME")
	default:
		made, err = s.core.Accounts.New(ctx, req)
	}
	if err != nil {
		return err
	}
	if made.Location == "" {
		return problemf(TypeUnreachable, "the CA did not say where the new account is")
	}
	a.URL, a.Terms, a.Email, a.KeyID = made.Location, meta.TermsOfService, s.Email, s.KeyID
	return s.save(*a)
}

// update tells the CA the account's new contact.
func (s *session) update(ctx context.Context, a *account) error {
	if _, err := s.core.Accounts.Update(ctx, a.URL, lego.Account{Contact: contact(s.Email)}); err != nil {
		return err
	}
	a.Email = s.Email
	return s.save(*a)
}

func contact(email string) []string {
	if email == "" {
		return nil
	}
	return []string{"mailto:" + email}
}

// Terms implements CA.
func (c *Client) Terms(ctx context.Context) (url string, err error) {
	s, err := c.connect(ctx, nil, "")
	if err != nil {
		return "", err
	}
	defer s.close()
	return line(s.core.GetDirectory().Meta.TermsOfService), nil
}
