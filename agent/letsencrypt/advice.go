package letsencrypt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/text"
)

// An Error says that an app has no new certificate for a name; Name "": for any.
type Error struct {
	App, Name string
	Problem   *acme.Problem
}

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Problem.Detail
	}
	return fmt.Sprintf("%s: %s", e.Name, e.Problem.Detail)
}

func (e *Error) Unwrap() error { return e.Problem }

// A Lead is where a name leads.
type Lead struct {
	Addresses []netip.Addr
	// Here: one of them is an address of this server. Known: this server has a public
	// address itself, so that it can tell. Behind a router it cannot.
	Here, Known bool
	// Missing: the name has no address.
	Missing bool
	// Own is this server's address for an A record; invalid behind a router.
	Own netip.Addr
}

// lookupPatience bounds a question to the DNS.
const lookupPatience = 3 * time.Second

// A Resolver finds the addresses of names; net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Follow finds out where a name leads. An error means that the DNS does not answer now.
func Follow(ctx context.Context, r Resolver, name string) (Lead, error) {
	var lead Lead
	own := addresses()
	for _, a := range own {
		if app.IsPublic(a) {
			lead.Known = true
			if !lead.Own.IsValid() || a.Is4() && !lead.Own.Is4() {
				lead.Own = a
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	if a, err := netip.ParseAddr(name); err == nil {
		lead.Addresses = []netip.Addr{a}
	} else {
		// Any name below a wildcard has the wildcard's address.
		found, err := r.LookupNetIP(ctx, "ip", strings.Replace(name, "*.", "dokku-wildcard.", 1))
		var dns *net.DNSError
		switch {
		case errors.As(err, &dns) && dns.IsNotFound:
			lead.Missing = true
		case err != nil:
			return lead, err
		}
		for _, a := range found {
			lead.Addresses = append(lead.Addresses, a.Unmap())
		}
	}
	lead.Here = slices.ContainsFunc(lead.Addresses, func(a netip.Addr) bool { return slices.Contains(own, a) })
	return lead, nil
}

// Elsewhere says, for a person, that a name does not lead here, and what to do; "" where it
// does, or where this server cannot tell.
func (l Lead) Elsewhere(name string) string {
	record := "add an A record with the address of this server"
	if l.Own.IsValid() {
		kind := "A"
		if l.Own.Is6() {
			kind = "AAAA"
		}
		record = fmt.Sprintf("add the record: %s %s %s", name, kind, l.Own)
	}
	switch {
	case l.Missing:
		return fmt.Sprintf("%s has no address in the DNS yet: %s", name, record)
	case !l.Here && l.Known && len(l.Addresses) > 0:
		return fmt.Sprintf("%s leads to %s, and this server is %s: change the record, unless a proxy in front of this server has that address",
			name, l.list(), l.Own)
	}
	return ""
}

func (l Lead) list() string {
	var list []string
	for _, a := range l.Addresses {
		list = append(list, a.String())
	}
	return strings.Join(list, ", ")
}

// addresses are those of this host's interfaces.
func addresses() []netip.Addr {
	var list []netip.Addr
	found, _ := net.InterfaceAddrs()
	for _, f := range found {
		if p, err := netip.ParsePrefix(f.String()); err == nil {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}

// Advice says what to do about a failure of an app's name; "" where only patience helps.
func Advice(ctx context.Context, r Resolver, v app.View, name string, f app.Failure) string {
	where := func(other string) string {
		lead, err := Follow(ctx, r, name)
		if err == nil {
			if s := lead.Elsewhere(name); s != "" {
				return s
			}
		}
		if err == nil && len(lead.Addresses) > 0 {
			return fmt.Sprintf(other, name, lead.list())
		}
		return fmt.Sprintf(other, name, "an address that this server cannot find out")
	}
	switch f.Type {
	case "dns", "connection", "tls", "unauthorized", "incorrectResponse", "rejectedIdentifier", "unsupportedIdentifier", "caa":
		if name == "" {
			return ""
		}
	}
	switch f.Type {
	case "dns":
		if v.ProvesByDNS() {
			return "look at the provider's zone, and at what answers for it"
		}
		return where("%s leads to %s from here; the CA's resolvers do not see that yet, or the domain's DNSSEC is broken")
	case "connection", "tls":
		return where("%s leads to %s: let port 80 through the firewall there, from everywhere")
	case "unauthorized", "incorrectResponse":
		if v.ProvesByDNS() {
			return "the CA does not see the record in the DNS: look at the provider's zone, and at what answers for it"
		}
		return where("%s leads to %s, where another server seems to answer on port 80: make it pass /.well-known/acme-challenge/ on to this one")
	case "caa":
		return fmt.Sprintf("a CAA record of %s, or of a domain above it, allows other CAs only: add this one to it, or remove the record", name)
	case "rejectedIdentifier", "unsupportedIdentifier":
		return fmt.Sprintf("this CA gives no certificate for it: dokku domains:remove %s %s, or another CA: dokku letsencrypt:set %[1]s server URL", v.Name, name)
	case "externalAccountRequired":
		return fmt.Sprintf("this CA wants an account made on its site: dokku letsencrypt:set %s eab-kid KID, and eab-hmac KEY", v.Name)
	case "invalidProfile":
		return fmt.Sprintf("choose one of the CA's profiles: dokku letsencrypt:set %s profile NAME", v.Name)
	case "unsupportedContact", "invalidContact":
		return fmt.Sprintf("give an address that takes mail: dokku letsencrypt:set %s email ADDRESS", v.Name)
	case "unreachable":
		return fmt.Sprintf("this server does not reach %s: look at its network and DNS", host(v.Directory()))
	case "clock":
		return "set this server's clock: timedatectl set-ntp true"
	case "rateLimited":
		if len(v.Certificates()) > 0 || v.Directory() != app.LetsEncrypt {
			return ""
		}
		return fmt.Sprintf("meanwhile, try with the test server, whose limits are wide: dokku letsencrypt:set %s server staging", v.Name)
	}
	return ""
}

// When says when a failed name is tried again.
func When(f app.Failure) string {
	at := f.Next
	if f.Until.After(at) {
		at = f.Until
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

// Troubles says, a line for each, which names of an app have no new certificate, in the
// CA's words, and when the agent tries again; and which never get one, and why.
func Troubles(v app.View, orders app.Orders) []string {
	var list []string
	names, refused := v.ACMENames()
	for _, name := range slices.Sorted(maps.Keys(orders.Failures)) {
		f := orders.Failures[name]
		if len(names) == 0 || name != "" && !slices.Contains(names, name) {
			continue // it concerns nobody any more
		}
		who := v.Name
		if name != "" {
			who += ": " + name
		}
		again := "; next try at " + When(f)
		if v.Settings.RenewalOff() {
			again = "; the agent's orders are switched off: dokku letsencrypt:cron-job --add"
		}
		list = append(list, fmt.Sprintf("%s: %s (%s since %s)%s", who, f.Detail, text.Plural(f.Count, "failure"), f.Since.UTC().Format("2006-01-02 15:04 UTC"), again))
	}
	if !v.State.ACMEAsked() {
		refused = nil // nobody asked for it by name
	}
	for _, r := range refused {
		list = append(list, fmt.Sprintf("%s: %s gets no certificate: %s", v.Name, r.Domain, r.Reason))
	}
	return list
}
