package app

import (
	"slices"
	"time"

	"dokku/agent/certs"
)

// Certificate is a certificate for TLS, of an app or of the server. Its files lie in the
// folder tls/ID of the app's own files or of the server's.
type Certificate struct {
	ID string `json:"id"` // the beginning of a hash of the files
	// Names are the DNS names and addresses that it is valid for.
	Names    []string  `json:"names"`
	NotAfter time.Time `json:"not_after"`
	// NotBefore and Authority, the CA's directory URL, are set in one that was ordered.
	NotBefore time.Time `json:"not_before,omitzero"`
	Authority string    `json:"authority,omitempty"`
	// Responder is certs.Pair.Responder.
	Responder string `json:"responder,omitempty"`
}

// Describe sets what the files of a certificate tell of it at a time.
func (c *Certificate) Describe(p certs.Pair, now time.Time) {
	c.Names, c.NotAfter, c.Responder = certs.Names(p.Leaf), p.Leaf.NotAfter.UTC(), p.Responder(nil, now)
}

// Own returns the certificates of an app itself: that of certs:add, else the ordered ones.
func (st *State) Own() []*Certificate {
	if st.Certificate != nil {
		return []*Certificate{st.Certificate}
	}
	var list []*Certificate
	for i := range st.Issued {
		list = append(list, &st.Issued[i])
	}
	return list
}

func (c Certificate) clone() Certificate {
	c.Names = slices.Clone(c.Names)
	return c
}

// TLSDir is the folder of the certificates, in the app's own files and in the server's.
const TLSDir = "tls"

// A ServedCertificate is a certificate with the domains of an app that it serves.
type ServedCertificate struct {
	*Certificate
	Global  bool // it is the server's
	Domains []string
}

// Certificates returns the certificates by which the app is reached over TLS: its own for
// the domains that it covers, and the server's for the others that this one covers.
func (v View) Certificates() []ServedCertificate {
	var list []ServedCertificate
	left := v.Names()
	all := []ServedCertificate{}
	for _, c := range v.State.Own() {
		all = append(all, ServedCertificate{Certificate: c})
	}
	if c := v.Settings.Certificate; c != nil {
		all = append(all, ServedCertificate{Certificate: c, Global: true})
	}
	for _, c := range all {
		var rest []string
		for _, d := range left {
			if certs.Covers(c.Names, d) {
				c.Domains = append(c.Domains, d)
			} else {
				rest = append(rest, d)
			}
		}
		if left = rest; len(c.Domains) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// HasTLS reports whether web is reached over TLS by one of the app's domains.
func (v View) HasTLS() bool {
	if v.State.ProxyDisabled || len(v.Certificates()) == 0 {
		return false
	}
	for _, m := range v.Ports() {
		if m.Scheme == "https" {
			return true
		}
	}
	return false
}

// Uncovered returns the domains of the app without a certificate.
func (v View) Uncovered() []string {
	covered := map[string]bool{}
	for _, c := range v.Certificates() {
		for _, d := range c.Domains {
			covered[d] = true
		}
	}
	var list []string
	for _, d := range v.Names() {
		if !covered[d] {
			list = append(list, d)
		}
	}
	return list
}
