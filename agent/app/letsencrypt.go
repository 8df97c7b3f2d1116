package app

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"dokku/agent/certs"
)

// Properties of letsencrypt:set. Those of Dokku's plugin have its names.
const (
	ACMEAuto        = "auto" // the server's alone: "on" or "off"
	ACMEBundle      = "ca-bundle"
	ACMEChallenge   = "challenge" // "dns-persist-01", or unset
	ACMEEmail       = "email"
	ACMEGrace       = "graceperiod" // seconds
	ACMEHMAC        = "eab-hmac"
	ACMEKeyID       = "eab-kid"
	ACMEProfile     = "profile"
	ACMEProvider    = "dns-provider"
	ACMEResolvers   = "dns-resolvers"
	ACMEServer      = "server"
	ACMEVariables   = "dns-provider-" // and the name of a variable of the provider
	acmeEnabled     = "enabled"       // of an app: "true" or "false", by letsencrypt:enable and disable
	acmeRenewal     = "renewal"       // of the server: "off" by letsencrypt:cron-job --remove
	persistentProof = "dns-persist-01"
)

// Directories of Let's Encrypt (https://letsencrypt.org/docs/acme-protocol-updates/).
const (
	LetsEncrypt        = "https://acme-v02.api.letsencrypt.org/directory"
	LetsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// MaxNames is the number of names in an ordered certificate: Let's Encrypt's limit
// (https://letsencrypt.org/docs/rate-limits/).
const MaxNames = 100

// addressProfile is the profile of a certificate for an address at Let's Encrypt, which is
// valid for six days.
const addressProfile = "shortlived"

// Authority is what the server knows of a CA at which it has, or will have, an account.
type Authority struct {
	// Thumbprint is that of the account's key: nginx answers the CA's challenges with it.
	Thumbprint string `json:"thumbprint"`
	// Terms is the URL of the terms of service that were agreed to, by whom and when.
	Terms  string    `json:"terms,omitempty"`
	Agreed time.Time `json:"agreed,omitzero"`
	By     string    `json:"by,omitempty"`
}

// ACME returns a property of letsencrypt:set: the app's, else the server's.
func (v View) ACME(name string) string {
	return cmp.Or(v.State.Letsencrypt[name], v.Settings.Letsencrypt[name])
}

// Directory returns the directory URL of the CA of an app's certificates.
func (v View) Directory() string { return DirectoryOf(v.ACME(ACMEServer)) }

// DirectoryOf returns the directory URL that a value of the property server means.
func DirectoryOf(server string) string {
	switch server {
	case "", "default":
		return LetsEncrypt
	case "staging":
		return LetsEncryptStaging
	}
	return server
}

// DNSProvider returns the DNS provider by which names are proved to the CA; "": by HTTP.
func (v View) DNSProvider() string {
	if p := v.ACME(ACMEProvider); p != "none" { // an app's word against the server's
		return p
	}
	return ""
}

// DNSVariables returns the variables of the DNS provider, the app's over the server's.
func (v View) DNSVariables() map[string]string {
	all := map[string]string{}
	for name, value := range Merged(v.Settings.Letsencrypt, v.State.Letsencrypt) {
		if variable, ok := strings.CutPrefix(name, ACMEVariables); ok {
			all[variable] = value
		}
	}
	return all
}

// ProvesByDNS reports whether every name of the app is proved by DNS.
func (v View) ProvesByDNS() bool { return v.DNSProvider() != "" || v.Persists() }

// Persists reports whether names are proved by a record that stays (dns-persist-01).
func (v View) Persists() bool { return v.ACME(ACMEChallenge) == persistentProof }

// ProfileFor returns the CA's profile for a certificate with these names; "": its default.
func (v View) ProfileFor(names []string) string {
	if p := v.ACME(ACMEProfile); p != "" {
		return p
	}
	if slices.ContainsFunc(names, IsAddress) && (v.Directory() == LetsEncrypt || v.Directory() == LetsEncryptStaging) {
		return addressProfile
	}
	return ""
}

// IsAddress reports whether a domain of an app is an IP address.
func IsAddress(domain string) bool {
	_, err := netip.ParseAddr(domain)
	return err == nil
}

// ACMEEnabled reports whether a CA's certificates are ordered for the app: by
// letsencrypt:enable, or for every app by the property auto. An app with a certificate of
// its admin's needs none.
func (v View) ACMEEnabled() bool {
	switch v.State.Letsencrypt[acmeEnabled] {
	case "true":
		return true
	case "false":
		return false
	}
	return v.Settings.Letsencrypt[ACMEAuto] == "on" && v.State.Certificate == nil
}

// ACMEAsked reports whether letsencrypt:enable is in force for the app itself.
func (st *State) ACMEAsked() bool { return st.Letsencrypt[acmeEnabled] == "true" }

// EnableACME notes that certificates are ordered for the app, or that none are.
func (st *State) EnableACME(on bool) {
	if st.Letsencrypt == nil {
		st.Letsencrypt = map[string]string{}
	}
	st.Letsencrypt[acmeEnabled] = strconv.FormatBool(on)
}

// RenewalOff reports whether the agent orders and renews nothing
// (letsencrypt:cron-job --remove).
func (s Settings) RenewalOff() bool { return s.Letsencrypt[acmeRenewal] == "off" }

// SetRenewal switches the agent's renewal.
func (s *Settings) SetRenewal(on bool) {
	if on {
		delete(s.Letsencrypt, acmeRenewal)
		return
	}
	if s.Letsencrypt == nil {
		s.Letsencrypt = map[string]string{}
	}
	s.Letsencrypt[acmeRenewal] = "off"
}

// A NameRefusal is a domain for which no CA can give a certificate here, and why.
type NameRefusal struct{ Domain, Reason string }

// ACMENames returns the domains for which certificates are ordered, and the others.
func (v View) ACMENames() (names []string, refused []NameRefusal) {
	if !v.ACMEEnabled() || v.State.ProxyDisabled {
		return nil, nil
	}
	public := v.Directory() == LetsEncrypt || v.Directory() == LetsEncryptStaging
	automatic := v.State.Letsencrypt[acmeEnabled] == ""
	for _, d := range v.Names() {
		reason := ""
		switch {
		case d == CatchAll:
			continue
		case automatic && v.Settings.Certificate != nil && certs.Covers(v.Settings.Certificate.Names, d) && !v.issuedFor(d):
			continue // the server's certificate serves it
		case strings.HasPrefix(d, "*.") && !v.ProvesByDNS():
			reason = "a wildcard is proved by DNS only: dokku letsencrypt:set " + v.Name + " dns-provider PROVIDER"
		case IsAddress(d) && v.ProvesByDNS():
			reason = "an address cannot be proved by DNS: dokku letsencrypt:set " + v.Name + " dns-provider none"
		case public:
			reason = NotPublic(d)
		}
		if reason != "" {
			refused = append(refused, NameRefusal{d, reason})
		} else {
			names = append(names, d)
		}
	}
	return names, refused
}

// issuedFor reports whether an ordered certificate has a name.
func (v View) issuedFor(name string) bool {
	return slices.ContainsFunc(v.State.Issued, func(c Certificate) bool { return slices.Contains(c.Names, name) })
}

// CatchAll is proxy.CatchAll: the domain of an app that answers every name.
const CatchAll = "_"

// reserved are names below domains that the public has and that lead nowhere: RFC 2606,
// 7686 and 8375.
var reserved = []string{"example.com", "example.net", "example.org", "home.arpa", "onion"}

// NotPublic says why no public CA gives a certificate for a domain; "": one may. The public
// suffix list (https://publicsuffix.org) knows below what domains are registered.
func NotPublic(domain string) string {
	switch a, err := netip.ParseAddr(domain); {
	case err == nil && IsPublic(a):
		return ""
	case err == nil:
		return "the address is not public"
	}
	host := strings.TrimPrefix(domain, "*.")
	for l := range strings.SplitSeq(host, ".") { // RFC 1123, which CAs keep
		if strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") {
			return "a part of it begins or ends with -"
		}
	}
	for _, s := range reserved {
		if host == s || strings.HasSuffix(host, "."+s) {
			return "." + s + " is no public domain"
		}
	}
	if suffix, managed := publicsuffix.PublicSuffix(host); suffix == host && !managed {
		return "it is no public domain"
	} else if !managed && !strings.Contains(suffix, ".") {
		return "." + suffix + " is no public domain"
	}
	return ""
}

// Coming returns the domains that have no certificate yet, and that the agent orders one
// for; failing are those of them for which it failed before.
func (v View) Coming(o Orders) (coming, failing []string) {
	if v.Settings.RenewalOff() {
		return nil, nil
	}
	names, _ := v.ACMENames()
	missing := v.Uncovered()
	_, all := o.Failures[""]
	for _, n := range names {
		_, failed := o.Failures[n]
		switch {
		case !slices.Contains(missing, n):
		case failed || all:
			failing = append(failing, n)
		default:
			coming = append(coming, n)
		}
	}
	return coming, failing
}
