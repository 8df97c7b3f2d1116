package acme

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	lego "github.com/go-acme/lego/v5/acme"

	"dokku/agent/event"
)

// The types of problems that no CA reports, beside those of RFC 8555, section 6.7.
const (
	// TypeUnreachable: the CA does not answer, or something else answers in its place.
	TypeUnreachable = "unreachable"
	// TypeClock: this server's clock contradicts a certificate.
	TypeClock = "clock"
	// TypeSetup: a setting or a file of this server is wrong or missing.
	TypeSetup = "setup"
	// TypeDNSProvider: the DNS provider did not do what it was asked for.
	TypeDNSProvider = "dnsProvider"
	// TypeDNSRecord: a record for dns-persist-01 is missing, and somebody must add it.
	TypeDNSRecord = "dnsRecord"
)

// The CA's types that this package treats differently from others.
const (
	typeRateLimited    = "rateLimited"
	typeServerInternal = "serverInternal"
	typeNoAccount      = "accountDoesNotExist"
	typeUserAction     = "userActionRequired"
	typeMalformed      = "malformed"
)

// maxDetail is the size of a Problem's Detail in bytes at most.
const maxDetail = 500

// Problem says why a name, or all of an order, got no certificate.
type Problem struct {
	// Name is the name that has the problem; "": the whole order has it.
	Name string
	// Type is the last word of the CA's urn, as "rateLimited", or one of the Type constants.
	Type string
	// Detail is one safe line of at most 500 bytes, in the CA's own words where it said
	// something.
	Detail string
	// Until is the time before which the CA wants no further attempt; zero if it did not
	// say.
	Until time.Time
}

func (p *Problem) Error() string {
	if p.Name == "" {
		return fmt.Sprintf("%s (%s)", p.Detail, p.Type)
	}
	return fmt.Sprintf("%s: %s (%s)", p.Name, p.Detail, p.Type)
}

// problemf makes a problem of the whole order.
func problemf(kind, format string, args ...any) *Problem {
	return &Problem{Type: kind, Detail: line(fmt.Sprintf(format, args...))}
}

// of returns the problem as that of a name.
func (p *Problem) of(name string) *Problem {
	q := *p
	q.Name = name
	return &q
}

// line makes one printable line of at most maxDetail bytes.
func line(s string) string {
	s = event.Printable(strings.Join(strings.Fields(s), " "))
	s = strings.Join(strings.Fields(s), " ") // blanks around what is not printed
	if len(s) <= maxDetail {
		return s
	}
	const more = "…"
	end := maxDetail - len(more)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}

// refusal is an error document of the CA, with what its HTTP answer said beside it.
type refusal struct {
	*lego.ProblemDetails
	until time.Time
}

func (r *refusal) Unwrap() error { return r.ProblemDetails }

// problemOf translates an error of lego or of the transport.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	d, ok := errors.AsType[*lego.ProblemDetails](err)
	if !ok {
		return problemf(TypeUnreachable, "the CA's answer makes no sense: %v", err)
	}
	p := problemf(kindOf(d.Type, d.HTTPStatus), "%s", d.Detail)
	if r, ok := errors.AsType[*refusal](err); ok {
		p.Until = r.until
	}
	for _, sub := range d.SubProblems {
		if p.Detail == "" || !strings.Contains(p.Detail, line(sub.Detail)) {
			p.Detail = line(p.Detail + " " + sub.Detail)
		}
	}
	if p.Type == typeUserAction && d.Instance != "" {
		p.Detail = line("agree to the CA's new terms at " + d.Instance + ": " + p.Detail)
	}
	if p.Detail == "" {
		p.Detail = line(fmt.Sprintf("the CA gave no reason (HTTP %d)", d.HTTPStatus))
	}
	return p
}

// kindOf is the last word of a urn. An error document without one (RFC 9457 permits it)
// gets the type that its HTTP status means.
func kindOf(urn string, status int) string {
	word := urn[strings.LastIndexAny(urn, ":/")+1:]
	ok := strings.HasPrefix(urn, "urn:") && word != "" && len(word) <= 40 &&
		!strings.ContainsFunc(word, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	switch {
	case ok:
		return word
	case status == 429:
		return typeRateLimited
	case status >= 500:
		return typeServerInternal
	}
	return typeMalformed
}

// aboutNames are the types of problems that are the fault of single names even where the
// CA reports them for the whole order.
var aboutNames = []string{"rejectedIdentifier", "unsupportedIdentifier", "caa", "dns", "connection", "incorrectResponse", "tls", typeRateLimited}

// aboutAll are the types of problems that are never the fault of a name.
var aboutAll = []string{typeRateLimited, typeServerInternal, typeNoAccount, typeUserAction, "badNonce"}

// blame finds the names that an error of a whole order is about. If it finds none, the
// problem is that of the whole order, and the error.
//
// A CA lists the names as subproblems; Let's Encrypt leaves the list out when it would
// have one entry, and quotes the name in the text. Limits of single names (too many failed
// authorizations) are told the same way.
func blame(names []string, err error) ([]*Problem, error) {
	p := problemOf(err)
	var list []*Problem
	if d, ok := errors.AsType[*lego.ProblemDetails](err); ok {
		for _, sub := range d.SubProblems {
			if slices.Contains(names, sub.Identifier.Value) {
				one := problemf(kindOf(sub.Type, d.HTTPStatus), "%s", sub.Detail).of(sub.Identifier.Value)
				one.Until = p.Until
				list = append(list, one)
			}
		}
		if list == nil && slices.Contains(aboutNames, p.Type) {
			for _, name := range names {
				if strings.Contains(d.Detail, `"`+name+`"`) {
					list = append(list, p.of(name))
				}
			}
		}
	}
	switch {
	case len(list) == 0 && len(names) == 1 && p.Type != typeRateLimited && slices.Contains(aboutNames, p.Type):
		return []*Problem{p.of(names[0])}, nil
	case len(list) == 0, len(list) == len(names) && p.Type == typeRateLimited:
		return nil, p
	}
	return list, nil
}
