package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"time"

	lego "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"

	"dokku/agent/certs"
)

// The limits of the pause between two questions for the renewal window (RFC 9773, section
// 4.3.3), and the pause where the CA asks for none.
const (
	minAgain     = time.Minute
	maxAgain     = 24 * time.Hour
	defaultAgain = 6 * time.Hour
)

// Renewal implements CA.
func (c *Client) Renewal(ctx context.Context, p certs.Pair) (Window, error) {
	if len(p.Leaf.AuthorityKeyId) == 0 {
		return Window{}, ErrNoRenewalInfo // self-signed
	}
	id, err := api.MakeARICertID(p.Leaf)
	if err != nil {
		return Window{}, ErrNoRenewalInfo
	}
	s, err := c.connect(ctx, nil, "")
	if err != nil {
		return Window{}, err
	}
	defer s.close()
	info, err := s.core.Certificates.GetRenewalInfo(ctx, id)
	switch {
	case errors.Is(err, api.ErrNoARI): // also for a window that ends before it starts
		return Window{}, ErrNoRenewalInfo
	case err != nil:
		return Window{}, ended(ctx, err)
	}
	wait := info.RetryAfter
	if wait <= 0 {
		wait = defaultAgain
	}
	return Window{
		Start: info.SuggestedWindow.Start.UTC(), End: info.SuggestedWindow.End.UTC(),
		Again:       c.Now().Add(min(max(wait, minAgain), maxAgain)).UTC(),
		Explanation: line(info.ExplanationURL),
	}, nil
}

// Revoke implements CA. It signs with the certificate's own key where the account did not
// order the certificate, or is lost (RFC 8555, section 7.6).
func (c *Client) Revoke(ctx context.Context, p certs.Pair) error {
	err := c.registered(ctx, func(s *session) error { return s.revoke(ctx, p) })
	if err == nil || ctx.Err() != nil || problemOf(err).Type != "unauthorized" {
		return err
	}
	key, kerr := signer(p)
	if kerr != nil {
		return err
	}
	s, err := c.connect(ctx, key, "")
	if err != nil {
		return err
	}
	defer s.close()
	return s.revoke(ctx, p)
}

func (s *session) revoke(ctx context.Context, p certs.Pair) error {
	err := s.core.Certificates.Revoke(ctx, lego.RevokeCertMessage{Certificate: base64.RawURLEncoding.EncodeToString(p.Leaf.Raw)})
	if err == nil {
		return nil
	}
	if err = ended(ctx, err); ctx.Err() == nil && problemOf(err).Type == "alreadyRevoked" {
		return nil
	}
	return err
}

// signer is the key of a pair.
func signer(p certs.Pair) (crypto.Signer, error) {
	b, _ := pem.Decode(p.Key)
	if b == nil {
		return nil, errors.New("no key")
	}
	key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, err
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("no key that signs")
	}
	return s, nil
}
