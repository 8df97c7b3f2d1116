package routing

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strconv"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/command/cli"
)

// opensslTime is the form in which Dokku, by openssl, shows times.
const opensslTime = "Jan _2 15:04:05 2006 GMT"

var certKeys = []string{"ssl-dir", "ssl-enabled", "ssl-expires-at", "ssl-hostnames", "ssl-issuer", "ssl-starts-at", "ssl-subject", "ssl-verified"}

var certsReport = cli.Reporter{
	Noun: "certs", About: "ssl",
	Keys: certKeys,
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		values := map[string]string{}
		for _, key := range certKeys {
			values[key] = ""
		}
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		// Where the certificate will be, too.
		values["ssl-dir"] = c.Server.Env.Store.TLS(a.Name, "")
		// As in Dokku, a certificate that was added counts before it fits a domain.
		values["ssl-enabled"] = strconv.FormatBool(len(a.State.Own()) > 0 || v.HasTLS())
		name, have := a.Name, (*app.Certificate)(nil)
		if own := a.State.Own(); len(own) > 0 {
			have = own[0]
		} else if served := v.Certificates(); len(served) > 0 {
			name, have = "", served[0].Certificate
		} else {
			return values, nil
		}
		return values, describe(c, "ssl-", values, name, have)
	},
}

// describe puts what a certificate says of itself into the values of a report, whose names
// begin with prefix. name is its owner; "" is the server.
func describe(c *cli.Call, prefix string, values map[string]string, name string, have *app.Certificate) error {
	p, err := c.Server.CertificateOf(name, have)
	if err != nil {
		return err
	}
	values[prefix+"dir"] = c.Server.Env.Store.TLS(name, have.ID)
	values[prefix+"expires-at"] = p.Leaf.NotAfter.UTC().Format(opensslTime)
	values[prefix+"starts-at"] = p.Leaf.NotBefore.UTC().Format(opensslTime)
	values[prefix+"hostnames"] = strings.Join(certs.Names(p.Leaf), " ")
	values[prefix+"issuer"] = distinguished(p.Leaf.RawIssuer)
	values[prefix+"subject"] = distinguished(p.Leaf.RawSubject)
	values[prefix+"verified"] = verified(p)
	return nil
}

// distinguished returns a name as Dokku's report shows it: in the order of the certificate,
// "C=US; O=Example; CN=www.example.com".
func distinguished(raw []byte) string {
	var names pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &names); err != nil {
		return ""
	}
	var parts []string
	for _, name := range names {
		parts = append(parts, pkix.RDNSequence{name}.String())
	}
	return strings.Join(parts, "; ")
}

// verified says whether this server trusts a certificate, in Dokku's words.
func verified(p certs.Pair) string {
	switch now := time.Now(); {
	case p.SelfSigned():
		return "self signed"
	case now.After(p.Leaf.NotAfter):
		return "expired"
	case p.Trusted(nil, now):
		return "verified by a certificate authority"
	}
	return "not verified: its issuer is not known here, or a certificate of the chain is missing"
}
