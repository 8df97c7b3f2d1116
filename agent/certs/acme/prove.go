package acme

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	lego "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/challenge"
)

// The CA is asked for news first after firstPoll, and then with pauses that double up to
// maxPoll. A CA checks a name in about a second.
const (
	firstPoll = 200 * time.Millisecond
	maxPoll   = 5 * time.Second
)

// proof is the attempt to prove one name.
type proof struct {
	name      string
	url       string // of the authorization
	authz     lego.Authorization
	challenge lego.Challenge
	started   bool
	done      bool
	problem   *Problem
}

func (p *proof) fail(problem *Problem) { p.done, p.problem = true, problem.of(p.name) }

// prove proves all names of an order. HTTP-01 needs no preparation, since the proxy
// answers every token, so these names are checked while DNS records spread. Requests go
// out one by one: CAs limit how many a second they take.
func (s *session) prove(ctx context.Context, order lego.ExtendedOrder, o Order) ([]*Problem, error) {
	proofs, err := s.proofs(ctx, order, o)
	if err != nil {
		return nil, ended(ctx, err)
	}
	web, records := []*proof{}, []*proof{}
	for _, p := range proofs {
		switch {
		case p.done:
		case p.challenge.Type == challenge.HTTP01.String():
			web = append(web, p)
		default:
			records = append(records, p)
		}
	}
	for _, p := range web {
		if err := s.start(ctx, p); err != nil {
			return nil, ended(ctx, err)
		}
	}
	if err := s.proveByDNS(ctx, records); err != nil {
		return nil, ended(ctx, err)
	}
	if err := s.await(ctx, proofs); err != nil {
		return nil, ended(ctx, err)
	}
	var failed []*Problem
	for _, p := range proofs {
		if p.problem != nil {
			failed = append(failed, p.problem)
		}
	}
	return failed, nil
}

// proofs asks for the challenges of each name, and chooses one.
func (s *session) proofs(ctx context.Context, order lego.ExtendedOrder, o Order) ([]*proof, error) {
	var list []*proof
	for _, url := range order.Authorizations {
		authz, err := s.core.Authorizations.Get(ctx, url)
		if err != nil {
			return nil, err
		}
		p := &proof{name: challenge.GetTargetedDomain(authz), url: url, authz: authz}
		list = append(list, p)
		if p.settle(authz); p.done {
			continue
		}
		want := s.method(p.name, o)
		if p.challenge, err = challenge.FindChallenge(want, authz); err != nil {
			var have []string
			for _, c := range authz.Challenges {
				have = append(have, c.Type)
			}
			slices.Sort(have)
			p.fail(problemf(TypeSetup, "the CA does not offer %s for this name: it offers %s", want, strings.Join(have, ", ")))
		}
	}
	return list, nil
}

// method is how a name is proved.
func (s *session) method(name string, o Order) challenge.Type {
	_, err := netip.ParseAddr(name)
	switch {
	case err == nil:
		return challenge.HTTP01
	case s.DNS.Persist:
		return challenge.DNSPersist01
	case s.DNS.Provider != "" || o.DNSOnly || strings.HasPrefix(name, "*."):
		return challenge.DNS01
	}
	return challenge.HTTP01
}

// start asks the CA to check a name. An error is the CA's trouble, not the name's.
func (s *session) start(ctx context.Context, p *proof) error {
	_, err := s.core.Challenges.New(ctx, p.challenge.URL)
	if err == nil {
		p.started = true
		return nil
	}
	if d, ok := errors.AsType[*lego.ProblemDetails](err); ok && d.HTTPStatus < 500 && !slices.Contains(aboutAll, problemOf(err).Type) {
		p.fail(problemOf(err))
		return nil
	}
	return err
}

// await waits until the CA has checked the names that it was asked to check.
func (s *session) await(ctx context.Context, proofs []*proof) error {
	limit := time.Now().Add(validationLimit)
	for wait := firstPoll; ; wait = min(2*wait, maxPoll) {
		open := slices.DeleteFunc(slices.Clone(proofs), func(p *proof) bool { return p.done || !p.started })
		if len(open) == 0 {
			return nil
		}
		if time.Now().After(limit) {
			return problemf(typeServerInternal, "the CA has not finished its checks within %s", validationLimit)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		for _, p := range open {
			authz, err := s.core.Authorizations.Get(ctx, p.url)
			if err != nil {
				return err
			}
			p.settle(authz)
		}
	}
}

// settle notes what the CA has found out.
func (p *proof) settle(authz lego.Authorization) {
	switch authz.Status {
	case lego.StatusPending, lego.StatusProcessing:
		return
	case lego.StatusValid:
		p.done = true
		return
	}
	for _, c := range authz.Challenges {
		if c.Error != nil {
			p.fail(problemOf(c.Error))
			return
		}
	}
	p.fail(problemf(typeMalformed, "%s", fmt.Sprintf("the CA calls the authorization %q and gives no reason", authz.Status)))
}
