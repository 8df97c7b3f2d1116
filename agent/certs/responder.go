package certs

import (
	"crypto/x509"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// responder is a URL that goes into nginx's configuration. nginx asks by HTTP only, as the
// Baseline Requirements of the CA/Browser Forum have it.
var responder = regexp.MustCompile(`^http://[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{1,200})?$`)

// IsResponder reports whether a URL has the form that Responder returns.
func IsResponder(u string) bool { return responder.MatchString(u) }

// Responder returns the URL, without a final slash, where the CA says whether the
// certificate is revoked (OCSP, RFC 6960); "": a server cannot ask there. It can if the
// chain has the issuer, and if roots lead to it; nil roots are those of this server. Whoever
// gives a certificate of a CA of their own must not choose an address that this host
// connects to.
func (p Pair) Responder(roots *x509.CertPool, now time.Time) string {
	if len(p.Between) == 0 || !p.Trusted(roots, now) {
		return ""
	}
	for _, text := range p.Leaf.OCSPServer {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		u.Host = strings.ToLower(u.Host)
		if text = strings.TrimRight(u.String(), "/"); IsResponder(text) {
			return text
		}
	}
	return ""
}
