package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	lego "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"
	"github.com/go-acme/lego/v5/certcrypto"

	"dokku/agent/certs"
)

// Obtain implements CA. An error joins the problem of the whole order, if it has one, and
// those of the names that failed before it.
func (c *Client) Obtain(ctx context.Context, o Order) (certs.Pair, []*Problem, error) {
	names, problems := c.provable(o)
	var pair certs.Pair
	obtain := c.obtain
	if c.foreign() {
		obtain = c.runProgram
	}
	var err error
	if len(names) > 0 && (len(problems) == 0 || !o.Whole) {
		var more []*Problem
		pair, more, err = obtain(ctx, names, o)
		problems = append(problems, more...)
	}
	switch {
	case err == nil && pair.Leaf != nil:
		return pair, problems, nil
	case err != nil && ctx.Err() != nil:
		err = context.Cause(ctx)
	case err == nil && len(problems) == 0:
		err = problemf(typeMalformed, "no names to obtain a certificate for")
	default:
		err = join(problems, err)
	}
	return certs.Pair{}, nil, err
}

// join returns the problems of names and that of the whole order as one error.
func join(problems []*Problem, whole error) error {
	list := []error{}
	if whole != nil {
		list = append(list, problemOf(whole))
	}
	for _, p := range problems {
		list = append(list, p)
	}
	return errors.Join(list...)
}

// hostname is a DNS name as certificates have it (RFC 5280, section 4.2.1.6).
var hostname = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// provable returns the names that the CA may be asked about, each once, and the problems
// of the others. One bad name would cost the others the order.
func (c *Client) provable(o Order) (names []string, problems []*Problem) {
	seen := map[string]bool{}
	for _, given := range o.Names {
		name := strings.ToLower(given)
		ip, ipErr := netip.ParseAddr(name)
		if ipErr == nil {
			name = ip.String()
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		var p *Problem
		switch byDNS := c.DNS.Provider != "" || c.DNS.Persist; {
		case ipErr == nil && o.DNSOnly:
			p = problemf(TypeSetup, "an address can be proved by HTTP only")
		case ipErr == nil && c.foreign():
			p = problemf(TypeSetup, "the program lego proves names by DNS, and no address: put the address into a certificate of its own")
		case ipErr == nil:
		case len(name) > 253 || !hostname.MatchString(name):
			p = problemf(typeMalformed, "%q is no DNS name", given)
		case strings.HasPrefix(name, "*.") && !byDNS:
			p = problemf(TypeSetup, "a wildcard can be proved by DNS only: set a dns-provider")
		case o.DNSOnly && !byDNS:
			p = problemf(TypeSetup, "the name can be proved by DNS only, because it is not served on port 80: set a dns-provider")
		}
		if p != nil {
			problems = append(problems, p.of(line(name)))
		} else {
			names = append(names, name)
		}
	}
	return names, problems
}

// obtain orders until the CA has issued a certificate or no name is left.
func (c *Client) obtain(ctx context.Context, names []string, o Order) (pair certs.Pair, problems []*Problem, err error) {
	left := slices.Clone(names)
	err = c.registered(ctx, func(s *session) error {
		if err := s.checkProfile(o.Profile); err != nil {
			return err
		}
		for range maxOrders {
			got, failed, err := s.order(ctx, left, o)
			for _, p := range failed {
				left = slices.DeleteFunc(left, func(n string) bool { return n == p.Name })
			}
			problems = append(problems, failed...)
			if pair = got; err != nil || len(failed) == 0 || len(left) == 0 || o.Whole {
				return err
			}
		}
		return problemf(typeMalformed, "the CA found fault with further names in %d orders, and is left alone for now", maxOrders)
	})
	return pair, problems, err
}

// checkProfile refuses a profile that the CA does not list.
func (s *session) checkProfile(profile string) error {
	have := s.core.GetDirectory().Meta.Profiles
	if _, ok := have[profile]; ok || profile == "" {
		return nil
	}
	if len(have) == 0 {
		return problemf("invalidProfile", "the CA has no profiles, and %q was asked for", profile)
	}
	return problemf("invalidProfile", "the CA has no profile %q: it has %s", profile, strings.Join(slices.Sorted(maps.Keys(have)), ", "))
}

// order makes one order. The problems are those of names, the error that of the whole
// order.
func (s *session) order(ctx context.Context, names []string, o Order) (certs.Pair, []*Problem, error) {
	order, err := s.open(ctx, names, o)
	if err != nil {
		failed, err := s.blame(ctx, names, err)
		return certs.Pair{}, failed, err
	}
	failed, err := s.prove(ctx, order, o)
	if err != nil || len(failed) > 0 {
		return certs.Pair{}, failed, err
	}
	pair, err := s.issue(ctx, order, names)
	if err != nil {
		failed, err := s.blame(ctx, names, err)
		return certs.Pair{}, failed, err
	}
	return pair, nil, nil
}

func (s *session) blame(ctx context.Context, names []string, err error) ([]*Problem, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return blame(names, err)
}

// open makes the order. A CA may refuse it for the certificate that it replaces: because
// another order has replaced it, or because another account or another CA issued it. The
// names are worth a certificate all the same.
func (s *session) open(ctx context.Context, names []string, o Order) (lego.ExtendedOrder, error) {
	opts := &api.OrderOptions{Profile: o.Profile}
	if o.Replaces != nil && len(o.Replaces.AuthorityKeyId) > 0 {
		id, err := api.MakeARICertID(o.Replaces)
		if err != nil {
			return lego.ExtendedOrder{}, err
		}
		opts.ReplacesCertID = id
	}
	order, err := s.core.Orders.New(ctx, names, opts)
	if err != nil && opts.ReplacesCertID != "" && ctx.Err() == nil &&
		slices.Contains([]string{typeMalformed, "unauthorized", "alreadyReplaced", "conflict"}, problemOf(err).Type) {
		opts.ReplacesCertID = ""
		order, err = s.core.Orders.New(ctx, names, opts)
	}
	return order, err
}

// issue has the certificate signed for a new key, and fetches it.
func (s *session) issue(ctx context.Context, order lego.ExtendedOrder, names []string) (certs.Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certs.Pair{}, problemf(TypeSetup, "cannot make a key: %v", err)
	}
	private, err := certs.EncodeKey(key)
	if err != nil {
		return certs.Pair{}, problemf(TypeSetup, "%v", err)
	}
	csr, err := certcrypto.CreateCSR(key, certcrypto.CSROptions{SAN: names})
	if err != nil {
		return certs.Pair{}, problemf(TypeSetup, "cannot make a signing request: %v", err)
	}
	if _, err := s.reach(ctx, order.Location, lego.StatusReady); err != nil {
		return certs.Pair{}, err
	}
	if _, err := s.core.Orders.UpdateForCSR(ctx, order.Finalize, csr); err != nil {
		return certs.Pair{}, err
	}
	done, err := s.reach(ctx, order.Location, lego.StatusValid)
	if err != nil {
		return certs.Pair{}, err
	}
	raw, err := s.core.Certificates.Get(ctx, done.Certificate, true)
	if err != nil {
		return certs.Pair{}, err
	}
	return s.accept(raw.Cert, private)
}

// reach waits until an order has a status.
func (s *session) reach(ctx context.Context, url, status string) (lego.ExtendedOrder, error) {
	limit := time.Now().Add(issueLimit)
	for wait := firstPoll; ; wait = min(2*wait, maxPoll) {
		order, err := s.core.Orders.Get(ctx, url)
		switch {
		case err != nil:
			return order, err
		case order.Status == status, order.Status == lego.StatusValid:
			return order, nil
		case order.Status == lego.StatusInvalid && order.Error != nil:
			return order, order.Error
		case order.Status == lego.StatusInvalid:
			return order, problemf(typeServerInternal, "the CA gave the order up without a reason")
		case time.Now().After(limit):
			return order, problemf(typeServerInternal, "the CA has not issued the certificate within %s", issueLimit)
		}
		if err := sleep(ctx, wait); err != nil {
			return order, err
		}
	}
}

// accept checks what the CA has issued.
func (c *Client) accept(chain, key []byte) (certs.Pair, error) {
	now := c.Now()
	pair, _, err := certs.Parse(chain, key, now)
	if err == nil {
		return pair, nil
	}
	if b, _ := pem.Decode(chain); b != nil {
		if leaf, perr := x509.ParseCertificate(b.Bytes); perr == nil && (now.Before(leaf.NotBefore) || now.After(leaf.NotAfter)) {
			return pair, problemf(TypeClock, "the new certificate is valid from %s to %s, and this server's clock says %s: set the clock",
				minute(leaf.NotBefore), minute(leaf.NotAfter), minute(now))
		}
	}
	return pair, problemf("badCertificate", "the CA issued a certificate that cannot be used: %v", err)
}
