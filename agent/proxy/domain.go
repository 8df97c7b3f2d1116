package proxy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/net/idna"
)

const (
	// ReservedDomain is a name that no app can have: nginx tells under it which
	// configuration it serves.
	ReservedDomain = "dokku-generation.invalid"

	// CatchAll is the domain of an app that answers every name which no other app and
	// no other site has. People write it as "_" or "*".
	CatchAll = "_"
)

// label is a part of a domain. RFC 1123 has no hyphen at its ends; DNS, nginx and Dokku take one.
var label = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// Lower returns a host name in lower case. It knows ASCII only: strings.ToLower makes ASCII letters of others, such as
// a "k" of the Kelvin sign.
func Lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// DomainError reports why a text is no domain.
type DomainError struct{ Domain, Fix string }

func (e *DomainError) Error() string { return fmt.Sprintf("invalid domain %.80q: %s", e.Domain, e.Fix) }

// CheckDomain reports why d cannot be a domain of an app. It accepts host names, as nginx does a first label
// that is "*", and CatchAll.
func CheckDomain(d string) error {
	bad := func(fix string) error { return &DomainError{d, fix} }
	if d == ReservedDomain {
		return bad("the name is reserved")
	}
	if d == CatchAll {
		return nil
	}
	if len(d) > 253 {
		return bad("it has more than 253 characters")
	}
	if strings.HasSuffix(d, ".") {
		return bad("leave out the final dot")
	}
	host, wild := strings.CutPrefix(d, "*.")
	if wild && host == "" {
		return bad("name the domain after '*.'")
	}
	for l := range strings.SplitSeq(host, ".") {
		if !label.MatchString(l) {
			return bad("it needs parts of letters, digits and - between dots")
		}
	}
	return nil
}

// toASCII is the mapping of UTS #46 that browsers apply to what people type.
var toASCII = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false))

// dots are the characters that UTS #46 reads as the dot of a host name.
var dots = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")

// ParseDomain returns a domain that a person typed in the form of CheckDomain: in lower
// case, with international labels in their xn-- form. A label that is ASCII only after
// the mapping is an error: a Kelvin sign is no "k", and nobody means it.
func ParseDomain(typed string) (string, error) {
	if typed == "*" {
		return CatchAll, nil
	}
	host, wild := strings.CutPrefix(dots.Replace(typed), "*.")
	labels := strings.Split(host, ".")
	for i, l := range labels {
		ascii, err := parseLabel(l)
		if err != nil {
			return "", &DomainError{typed, err.Error()}
		}
		labels[i] = ascii
	}
	d := strings.Join(labels, ".")
	if wild {
		d = "*." + d
	}
	if err := CheckDomain(d); err != nil {
		return "", err
	}
	return d, nil
}

func parseLabel(l string) (string, error) {
	at := strings.IndexFunc(l, func(r rune) bool { return r >= 0x80 })
	if at < 0 {
		return Lower(l), nil
	}
	ascii, err := toASCII.ToASCII(l)
	switch {
	case err != nil:
		return "", fmt.Errorf("%.80q cannot be part of an international name", l)
	case ascii == "":
		return "", errors.New("a part of it is empty")
	case !strings.HasPrefix(ascii, "xn--"):
		first := []rune(l[at:])[0]
		return "", fmt.Errorf("it has the character %U, which only looks like %q: type that instead", first, ascii)
	}
	return ascii, nil
}

// Covers reports whether domain answers requests for host: it is the same name, a
// wildcard above it, or CatchAll.
func Covers(domain, host string) bool {
	if domain == CatchAll {
		return true
	}
	if suffix, wild := strings.CutPrefix(domain, "*"); wild {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return domain == host
}
