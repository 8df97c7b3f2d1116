package acme

import (
	"context"
	"errors"
	"time"

	lego "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"
	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/challenge/dnspersist01"
)

// cleanupLimit is how long the removal of a record may take. Records are removed after the
// end of the context too: one that stays costs a later order, and shows that it was there.
const cleanupLimit = 10 * time.Second

// dnsTurn is held while names are proved by DNS: lego's DNS client, which its providers
// use, is one for the process.
var dnsTurn = make(chan struct{}, 1)

// turnTime bounds how long the records of one order may take to spread, all together: the
// orders of other apps wait for their turn. No zone that serves needs more.
const turnTime = time.Hour

var errTurn = errors.New("the records of an order may take an hour to spread, since those of others wait meanwhile: give the names to several apps, or set a shorter timeout of the provider")

// solver proves names by DNS-01 with a provider.
type solver struct {
	*session
	provider challenge.Provider
	turn     context.Context // ends with the turn of the order
}

// sequential is implemented by providers that cannot hold several records at once.
type sequential interface{ Sequential() time.Duration }

// proveByDNS proves names by records. An error is that of the whole order.
func (s *session) proveByDNS(ctx context.Context, proofs []*proof) error {
	if len(proofs) == 0 {
		return nil
	}
	select {
	case dnsTurn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-dnsTurn }()
	options := &dns01.Options{RecursiveNameservers: s.Resolvers}
	dns01.SetDefaultClient(dns01.NewClient(options))
	dnspersist01.SetDefaultClient(dnspersist01.NewClient(options))
	if s.DNS.Persist {
		return s.provePersistent(ctx, proofs)
	}
	provider, err := s.provider()
	if err != nil {
		for _, p := range proofs {
			p.fail(problemOf(err))
		}
		return nil
	}
	turn, cancel := context.WithTimeoutCause(ctx, turnTime, errTurn)
	defer cancel()
	x := &solver{session: s, provider: provider, turn: turn}
	if one, ok := provider.(sequential); ok {
		return x.inTurn(ctx, proofs, one.Sequential())
	}
	return x.together(ctx, proofs)
}

// together adds all records first, so that they spread at the same time.
func (x *solver) together(ctx context.Context, proofs []*proof) error {
	for _, p := range proofs {
		defer x.remove(ctx, p)
		x.add(ctx, p)
	}
	for _, p := range proofs {
		if err := x.check(ctx, p); err != nil {
			return err
		}
	}
	return x.await(ctx, proofs)
}

// inTurn finishes each name before the next. A name with the record of the one before (a
// domain and its wildcard) waits until resolvers have forgotten that.
func (x *solver) inTurn(ctx context.Context, proofs []*proof, pause time.Duration) error {
	last := map[string]bool{}
	for _, p := range proofs {
		record := p.authz.Identifier.Value
		if last[record] {
			if err := sleep(ctx, pause); err != nil {
				return err
			}
		}
		last[record] = true
		if err := x.together(ctx, []*proof{p}); err != nil {
			return err
		}
	}
	return nil
}

// keyAuthorization is what a record's value is made from.
func (x *solver) keyAuthorization(p *proof) string {
	auth, err := x.core.GetKeyAuthorization(p.challenge.Token)
	if err != nil {
		p.fail(problemf(TypeSetup, "%v", err))
	}
	return auth
}

func (x *solver) add(ctx context.Context, p *proof) {
	auth := x.keyAuthorization(p)
	if p.done || ctx.Err() != nil {
		return
	}
	if err := x.provider.Present(ctx, p.authz.Identifier.Value, p.challenge.Token, auth); err != nil {
		p.fail(x.providerProblem("cannot add the record", err))
	}
}

// remove is called for records whose addition failed too: it may have happened.
func (x *solver) remove(ctx context.Context, p *proof) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupLimit)
	defer cancel()
	if auth, err := x.core.GetKeyAuthorization(p.challenge.Token); err == nil {
		// A record that stays proves nothing later: its value is of this order.
		_ = x.provider.CleanUp(ctx, p.authz.Identifier.Value, p.challenge.Token, auth)
	}
}

// check has the CA check a name as soon as its record can be seen.
func (x *solver) check(ctx context.Context, p *proof) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.done {
		return nil
	}
	if err := x.spread(x.turn, p); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.fail(x.providerProblem("the record was added and cannot be seen", err))
		return nil
	}
	return x.start(ctx, p)
}

// spread waits until a record can be seen: by the authoritative servers of its zone, or
// by the configured resolvers. Others may have cached that there is none.
//
// lego's own loop sleeps whatever its context says, so it runs once, and ours is in the
// place of its check.
func (x *solver) spread(ctx context.Context, p *proof) error {
	timeout, interval := dns01.DefaultPropagationTimeout, dns01.DefaultPollingInterval
	if t, ok := x.provider.(challenge.ProviderTimeout); ok {
		timeout, interval = t.Timeout()
	}
	loop := func(ctx context.Context, _, fqdn, value string, check dns01.PreCheckFunc) (bool, error) {
		for limit := time.Now().Add(timeout); ; {
			ok, err := check(ctx, fqdn, value)
			if ok && err == nil || time.Now().After(limit) {
				return true, err
			}
			if err := sleep(ctx, max(interval, firstPoll)); err != nil {
				return true, err
			}
		}
	}
	only := dns01.DisableRecursiveNSsPropagationRequirement()
	if len(x.Resolvers) > 0 {
		only = dns01.DisableAuthoritativeNssPropagationRequirement()
	}
	validated := func(context.Context, *api.Core, string, lego.Challenge) error { return nil }
	return dns01.NewChallenge(x.core, validated, once{x.provider}, dns01.WrapPreCheck(loop), only).Solve(ctx, p.authz)
}

// once is a provider whose loop in lego ends with its first turn.
type once struct{ challenge.Provider }

func (once) Timeout() (timeout, interval time.Duration) { return time.Hour, time.Nanosecond }

// provePersistent proves names by records that are there already.
func (s *session) provePersistent(ctx context.Context, proofs []*proof) error {
	at := func(context.Context, string, string, dnspersist01.RecordMatcher, dnspersist01.PreCheckFunc) (bool, error) {
		return true, nil
	}
	validated := func(context.Context, *api.Core, string, lego.Challenge) error { return nil }
	c, err := dnspersist01.NewChallenge(s.core, validated, missing{}, dnspersist01.WrapPreCheck(at))
	if err != nil {
		return err
	}
	for _, p := range proofs {
		// It looks for the record, and calls Persist if there is none.
		if err := c.Solve(ctx, p.authz); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if found, ok := err.(*Problem); ok {
				p.fail(found)
			} else {
				p.fail(problemf(TypeDNSRecord, "cannot look for the record _validation-persist.%s: %v", p.authz.Identifier.Value, err))
			}
			continue
		}
		if err := s.start(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// missing is the provider of dns-persist-01: nobody adds records but people.
type missing struct{}

func (missing) Persist(_ context.Context, fqdn, value string) error {
	return problemf(TypeDNSRecord, "add this TXT record (experimental dns-persist-01): %s with the value %q", fqdn, value)
}

func (missing) Timeout() (timeout, interval time.Duration) { return time.Hour, time.Nanosecond }
